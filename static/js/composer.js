// The comment box: sends with Ctrl+Enter, empties itself when the comment is in the journal, shows what is attached.
export function composeWell() {
  document.addEventListener("keydown", (event) => {
    const form = event.target.closest("form[data-composer]");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  document.body.addEventListener("changed", (event) => {
    const form = event.target.closest("form[data-composer]");
    if (!form) return;
    form.reset();
    form.querySelector("[data-problems]")?.replaceChildren();
    htmx.trigger(form.querySelector("[data-reach]"), "look");
  });
  // Only the parties picked for "chosen parties" are sent: the list shows when that audience is on.
  document.addEventListener("change", (event) => {
    if (event.target.name !== "audience") return;
    const chosen = event.target.form?.querySelector("[data-chosen]");
    if (chosen) chosen.hidden = event.target.value !== "chosen";
  });
}
