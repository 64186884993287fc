"use strict";

// What a function looks like. A program that waits loads it, so that the next one loads fast.
exports.handler = async (event) => event;
