//go:build !race

package jail

// raceDetector says whether this test was built with the race detector.
const raceDetector = false
