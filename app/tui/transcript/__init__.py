"""The Line-API transcript: one ScrollView, cells made of blocks, blocks made of cached strips."""
