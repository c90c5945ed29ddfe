// Lists whose order matters: <ol data-order> is put in order by dragging; its buttons do it too.

let dragged = null;

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("[data-order] > li") ?? null;
  dragged?.classList.add("dragged");
});
document.addEventListener("dragover", (event) => {
  const over = event.target.closest?.("[data-order] > li");
  if (!dragged || !over || over === dragged || over.parentNode !== dragged.parentNode) return;
  event.preventDefault();
  const box = over.getBoundingClientRect();
  over.parentNode.insertBefore(dragged, event.clientY < box.top + box.height / 2 ? over : over.nextSibling);
});
document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  dragged = null;
});
