// Package node finds Node.js on the host and runs Lambda's nodejs* runtimes on it.
package node

import (
	"fmt"

	"cirro/internal/sandbox/family"
)

// Node is the family of the nodejs* runtimes.
type Node struct{ dir string }

// New makes the family. It keeps its bootstrap under dir.
func New(dir string) *Node { return &Node{dir: dir} }

// Find implements family.Family.
func (n *Node) Find(name string) (*family.Runtime, error) {
	return nil, fmt.Errorf("no Node.js found for %s", name)
}
