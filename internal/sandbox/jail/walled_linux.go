package jail

import "errors"

func openWalled(string, Options) (Host, error) {
	return nil, errors.New("the walls are not built yet")
}
