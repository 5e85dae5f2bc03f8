// Everything that the portal's pages do in the browser. Every page also works without it, except for live updates.
import { keepTheme } from "./theme.js";
import { tellZone } from "./zone.js";
import { openDialogs } from "./dialogs.js";
import { listenForKeys } from "./keys.js";
import { findThings } from "./palette.js";
import { stayLive } from "./live.js";
import { toast } from "./toasts.js";
import { composeWell } from "./composer.js";
import { pickMany } from "./picking.js";
import { copyWhole } from "./copying.js";

tellZone();
keepTheme();
openDialogs();
findThings();
listenForKeys();
stayLive();
composeWell();
pickMany();
copyWhole();

document.body.addEventListener("toast", (event) => toast(event.detail.value));
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(name, (event) => {
    if (!event.detail.elt.matches("[data-every]")) toast("The portal does not answer. Check your network and try again.", "bad");
  });
}
document.body.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (event.detail.elt.matches("[data-every]")) return;
  const words = { 403: "You may see this, but not change it.", 404: "This is no longer there, or no longer yours to see." };
  toast(words[status] ?? `The portal could not do this (${status}). Nothing was changed.`, "bad");
});
