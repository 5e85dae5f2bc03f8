// Live fragments: asks again every few seconds while somebody looks, and never pulls away what they hold.
export function stayLive() {
  const asked = new WeakMap();
  setInterval(() => {
    if (document.visibilityState !== "visible" || document.querySelector("dialog[open]")) return;
    const now = Date.now();
    for (const element of document.querySelectorAll("[data-every]")) {
      if (!asked.has(element)) { asked.set(element, now); continue; }
      if (now - asked.get(element) < Number(element.dataset.every) * 1000) continue;
      if (element.contains(document.activeElement) && element.dataset.keep === undefined) continue;
      if (element.querySelector("details.exchange[open]")) continue;
      asked.set(element, now);
      htmx.trigger(element, "pulse");
    }
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    for (const element of document.querySelectorAll("[data-every]")) htmx.trigger(element, "pulse");
  });
}
