package schedule

import "time"

// longestSearch bounds how many times that the clock skips, or that it showed before, are passed over.
const longestSearch = 10_000

// NextByClock is Next as EventBridge Scheduler counts it: a cron expression is due when a clock on the wall
// shows it for the first time. What the clock skips when it is put forward is skipped, and what it shows
// twice when it is put back is due once.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
func (s *Schedule) NextByClock(start, after time.Time) time.Time {
	if s.cron == nil {
		return s.Next(start, after)
	}
	wall := onWall(after.In(s.zone))
	for range longestSearch {
		next := s.cron.Next(wall)
		if next.IsZero() || !next.After(wall) {
			return time.Time{}
		}
		if due, exists := firstShown(next, s.zone); exists && due.After(after) {
			return due
		}
		wall = next
	}
	return time.Time{}
}

// onWall is what a clock shows, as a time of UTC.
func onWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// firstShown is when a clock of a zone first shows what wall says; false where it never does.
func firstShown(wall time.Time, zone *time.Location) (time.Time, bool) {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
	if !onWall(t).Equal(wall) {
		return time.Time{}, false
	}
	// Where the clock is put back, the same is shown once more: earlier by the difference of the offsets.
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		_, now := t.Zone()
		_, before := start.Add(-time.Second).Zone()
		if earlier := t.Add(time.Duration(now-before) * time.Second); earlier.Before(start) && onWall(earlier.In(zone)).Equal(wall) {
			return earlier, true
		}
	}
	return t, true
}
