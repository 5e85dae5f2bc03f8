"""The demo: four sandboxes, the portal between them, and one ticket that crosses all four companies."""
