"""The seeded world: virtual time, pretended lines and disks, everything between them real."""
