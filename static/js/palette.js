// Ctrl+K: go to a page, or find a ticket by its reference, its title or a key in any system.
export function findThings() {
  const palette = document.getElementById("palette");
  if (!palette) return;
  const input = palette.querySelector("input");
  const list = palette.querySelector("[role=listbox]");
  const options = () => [...list.querySelectorAll("[role=option]")];

  function choose(index) {
    const all = options();
    all.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    input.setAttribute("aria-activedescendant", all[index]?.id ?? "");
    all[index]?.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-palette]")) return;
    event.preventDefault();
    input.value = "";
    palette.showModal();
    htmx.trigger(input, "look");
  });
  list.addEventListener("htmx:afterSwap", () => choose(0));
  input.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") choose(Math.min(all.length - 1, at + 1));
    else if (event.key === "ArrowUp") choose(Math.max(0, at - 1));
    else if (event.key === "Enter" && all[at]) location.assign(all[at].href);
    else return;
    event.preventDefault();
  });
}
