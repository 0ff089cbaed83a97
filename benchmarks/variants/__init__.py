"""Other images than MNIST's, made from the embedded ones."""
