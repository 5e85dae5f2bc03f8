// Acts open as dialogs over the page; each is also a page of its own for whoever opens it without scripts.
const sheet = () => document.getElementById("sheet");

export function openDialogs() {
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "sheet-body") return;
    if (!sheet().open) sheet().showModal();
    const first = sheet().querySelector("[autofocus], [aria-invalid='true'], input:not([type=hidden]), select, textarea, .form-actions .button");
    first?.focus();
  });
  document.body.addEventListener("changed", () => sheet()?.open && sheet().close());
  document.addEventListener("click", (event) => {
    const dialog = event.target.closest("dialog");
    if (event.target.closest("[data-close]")) {
      if (dialog) { event.preventDefault(); dialog.close(); }
    } else if (event.target === dialog) {
      dialog.close();
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}
