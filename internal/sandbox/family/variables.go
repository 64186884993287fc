package family

import "strings"

// AtExec says whether the loader or the C library look at a variable when a program starts, and never
// again.
func AtExec(name string) bool {
	switch name {
	case "AWS_LAMBDA_EXEC_WRAPPER", "LANG", "LANGUAGE", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "OPENSSL_CONF", "OPENSSL_MODULES":
		return true
	}
	return strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "LC_") || strings.HasPrefix(name, "MALLOC_")
}
