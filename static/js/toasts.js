// Short confirmations that go away by themselves; screen readers hear them because their place is a live region.
export function toast(text, kind = "") {
  const place = document.getElementById("toasts");
  if (!place || !text) return;
  const note = document.createElement("div");
  note.className = `toast ${kind}`;
  note.textContent = text;
  place.append(note);
  setTimeout(() => note.remove(), kind === "bad" ? 9000 : 4500);
}
