"""An executable model of the contract: what must hold, before and beside the code that holds it."""
