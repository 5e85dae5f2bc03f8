// Light, dark or as the system says; kept in a cookie so that the next page comes in the right colors at once.
const YEAR = 31536000;

function show(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-set-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.setTheme === theme));
  }
}

export function keepTheme() {
  show(document.documentElement.dataset.theme ?? "system");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-set-theme]");
    if (!button) return;
    const theme = button.dataset.setTheme;
    document.cookie = `theme=${theme};path=/;max-age=${theme === "system" ? 0 : YEAR};samesite=lax`;
    show(theme);
  });
}
