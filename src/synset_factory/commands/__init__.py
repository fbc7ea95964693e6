"""What a person runs: `synset-factory <command>`."""
