"""The counter at work: configuration, journal, the loop, the devices, the shop link."""
