"""What the machine does with what people make: embeddings, snapshots, training, the gate, promotion and its undoing."""
