package pgcluster

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fergusstrange/embedded-postgres"
)

// BinariesEnv names the environment variable for Config.Binaries.
const BinariesEnv = "CONTACTSYNC_POSTGRES_BIN"

// FetchBinaries as Config.Binaries fetches PostgreSQL even where it is installed.
const FetchBinaries = "fetch"

// ErrNoBinaries is returned by Start when the machine has no PostgreSQL and none could be fetched. Tests skip on it.
var ErrNoBinaries = errors.New("no PostgreSQL")

// findBinaries returns the folder of initdb and postgres.
func findBinaries(setting string, log *slog.Logger) (string, error) {
	switch {
	case setting == FetchBinaries:
		return fetchBinaries(log)
	case setting != "" && hasBinaries(setting):
		return setting, nil
	case setting != "":
		return "", fmt.Errorf("%w: %s names %s, which has no initdb and postgres", ErrNoBinaries, BinariesEnv, setting)
	}
	for _, dir := range installed() {
		if hasBinaries(dir) {
			return dir, nil
		}
	}
	return fetchBinaries(log)
}

// installed lists where packages put PostgreSQL, PATH first, then newer versions before older ones.
func installed() []string {
	var dirs []string
	if found, err := exec.LookPath("initdb"); err == nil {
		// Debian's links in PATH lead to a folder that holds the rest of the installation.
		if real, err := filepath.EvalSymlinks(found); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin", "/usr/local/pgsql/bin",
	} {
		matches, _ := filepath.Glob(pattern)
		slices.SortFunc(matches, func(a, b string) int { return cmp.Compare(versionIn(b), versionIn(a)) })
		dirs = append(dirs, matches...)
	}
	return dirs
}

// versionIn returns the number in a path such as /usr/lib/postgresql/15/bin.
func versionIn(path string) int {
	digits := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}

func hasBinaries(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// fetchBinaries returns the folder of a PostgreSQL in the user's cache, fetching it there once.
func fetchBinaries(log *slog.Logger) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", notFetched(err)
	}
	home := filepath.Join(cache, "postgres-"+string(embeddedpostgres.V18))
	bin := filepath.Join(home, "bin")
	if hasBinaries(bin) {
		return bin, nil
	}
	log.Info("fetching PostgreSQL", "version", string(embeddedpostgres.V18), "into", home)
	if err := unpack(cache, home); err != nil {
		return "", notFetched(err)
	}
	return bin, nil
}

func notFetched(err error) error {
	return fmt.Errorf("%w: none found on this machine and none fetched (%w); install it, or set %s to the folder of its initdb",
		ErrNoBinaries, err, BinariesEnv)
}

// cacheDir is where fetched binaries are kept: root's must be within reach of nobody, who runs them.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/contactsync", nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "contactsync"), err
}

// unpack makes the library fetch and unpack, no more. The library has no such call: its Start also starts PostgreSQL, which
// fails here because the data folder we show it is empty but for a version, and as root anyway. So its error counts only if
// the binaries are missing afterwards (and it leaves its small log in the temporary folder). Unpacking beside and renaming lets two processes do it at once.
func unpack(cache, home string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	fresh, data := filepath.Join(scratch, "postgres"), filepath.Join(scratch, "data")
	major, _, _ := strings.Cut(string(embeddedpostgres.V18), ".")
	port, portErr := freePort(0)
	if err := errors.Join(portErr, os.Mkdir(data, 0o700), os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(major+"\n"), 0o600)); err != nil {
		return err
	}
	config := embeddedpostgres.DefaultConfig().Version(embeddedpostgres.V18).Port(uint32(port)).Logger(io.Discard).
		CachePath(scratch).RuntimePath(filepath.Join(scratch, "runtime")).BinariesPath(fresh).DataPath(data)
	startErr := embeddedpostgres.NewDatabase(config).Start()
	if !hasBinaries(filepath.Join(fresh, "bin")) {
		return cmp.Or(startErr, errors.New("the archive holds no initdb"))
	}
	if err := os.Rename(fresh, home); err != nil && !hasBinaries(filepath.Join(home, "bin")) {
		return err
	}
	return nil
}
