// Shows calls on the desktop, for pages that are not looked at: a notification is answered here,
// and the page that rings is told. It keeps nothing and fetches nothing.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("notificationclick", (event) => {
  const { notification, action } = event;
  notification.close();
  event.waitUntil(self.clients.matchAll({ type: "window" }).then((pages) => {
    for (const page of pages) page.postMessage({ call: notification.tag, action });
    return action === "decline" ? undefined : pages[0]?.focus();
  }));
});
