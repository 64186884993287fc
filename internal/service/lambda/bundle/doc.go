// Package bundle unpacks deployment packages: zip files from users who may mean harm.
//
// It refuses what is broken, what would leave its directory, and what grows beyond its limits, and
// leaves nothing of it behind. What a package means, and how a refusal is worded for the user, is its
// caller's.
package bundle
