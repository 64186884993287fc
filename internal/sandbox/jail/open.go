package jail

// Options say how Open makes its host. The zero value asks for the strongest walls that this machine
// can give.
type Options struct {
	// Mode forces a mode: Open then fails where the machine cannot give it. Unwalled always works.
	Mode Mode
}

// Open makes a host that keeps what it needs under dir. It first removes what a predecessor that was
// killed left there. Where no walls can be had it returns an Unwalled host, whose Warnings say why;
// forced to a mode that the machine cannot give, it returns an error.
//
// A program that calls Open is started again, by itself, inside every jail: package entry, which this
// package imports, takes such a start over before main.
func Open(dir string, o Options) (Host, error) {
	if o.Mode == Unwalled {
		return openUnwalled(dir, "the walls are switched off")
	}
	h, err := openWalled(dir, o)
	if err == nil {
		return h, nil
	}
	if o.Mode != "" {
		return nil, err
	}
	return openUnwalled(dir, err.Error())
}
