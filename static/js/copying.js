// A call to a system, request and answer, into the clipboard as it stands.
function offer(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}

export function copyWhole() {
  offer(document);
  document.body.addEventListener("htmx:afterSettle", (event) => offer(event.target));
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const parts = button.closest(".whole-call").querySelectorAll("code, pre");
    await navigator.clipboard.writeText([...parts].map((part) => part.textContent).join("\n\n"));
    document.body.dispatchEvent(new CustomEvent("toast", { detail: { value: "Copied." } }));
  });
}
