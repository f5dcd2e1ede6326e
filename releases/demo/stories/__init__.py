"""One module per repository of the demo; each plans its story, `releases.demo.build` tells it."""
