// Lists in which several rows are chosen: all at once, and how many there are so far.
const boxes = () => [...document.querySelectorAll("input[name=lane]")];

function tell() {
  const chosen = boxes().filter((box) => box.checked).length;
  for (const place of document.querySelectorAll("[data-checked]")) place.textContent = `${chosen} chosen`;
  for (const all of document.querySelectorAll("[data-check-all]")) {
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
}

export function pickMany() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-check-all]")) for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.matches("[data-check-all], input[name=lane]")) tell();
  });
  document.body.addEventListener("htmx:afterSettle", tell);
}
