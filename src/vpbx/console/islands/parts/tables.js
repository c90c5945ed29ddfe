// On a phone a row of a table is a card, where each value stands below the heading of its column.

export function headings(scope) {
  for (const table of scope.querySelectorAll("table.list:not(.calls, .figures)")) {
    const words = [...(table.tHead?.rows[0]?.cells ?? [])].map(
      (cell) => (cell.querySelector(".hidden") ? "" : cell.textContent.trim()));
    for (const row of table.tBodies[0]?.rows ?? []) {
      if (row.cells.length !== words.length) continue;
      [...row.cells].forEach((cell, at) => {
        if (at && words[at] && cell.textContent.trim()) cell.dataset.heading = words[at];
      });
    }
  }
}

document.addEventListener("DOMContentLoaded", () => headings(document));
document.addEventListener("htmx:after:swap", () => headings(document));
