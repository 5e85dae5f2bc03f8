"""A stand-in for Azure DevOps: Services by default, Server when the setting says so."""
