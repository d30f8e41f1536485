"""What people make: datasets, images, masks, human work and the ledger of machine work."""
