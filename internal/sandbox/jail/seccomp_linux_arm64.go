package jail

// forbiddenHere are calls that only this architecture has.
var forbiddenHere []uint32
