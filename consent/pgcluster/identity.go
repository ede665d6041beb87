package pgcluster

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// nobody is the user and group PostgreSQL runs as when we are root: the kernel's overflow identity, which owns nothing.
const nobody = 65534

// identity is who PostgreSQL runs as.
type identity struct {
	drop   bool // root drops to nobody; everybody else stays
	search bool // nobody needs a capability to walk to its folder
}

// chooseIdentity looks at who we are and whether nobody can get to the two folders. No capability helps with the binaries:
// it takes effect only after one has been found.
func chooseIdentity(dir, bin string) (identity, error) {
	if os.Geteuid() != 0 {
		return identity{}, nil
	}
	if !searchable(bin) {
		return identity{}, fmt.Errorf("%w: as root it runs unprivileged, and %s is closed to other users", ErrNoBinaries, bin)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return identity{}, fmt.Errorf("make the folder of PostgreSQL: %w", err)
	}
	return identity{drop: true, search: !searchable(filepath.Dir(dir))}, nil
}

// searchable tells whether everybody may walk to the folder.
func searchable(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// mayUse refuses data of another user: PostgreSQL works on its own only. Where the data are out of sight, the folder around
// them tells whose they are.
func (who identity) mayUse(cfg Config) error {
	uid, found := ownerOf(cfg.dataDir())
	if !found {
		return nil
	}
	wanted, run := os.Geteuid(), "run this as that user"
	if who.drop {
		wanted = nobody
	}
	if uid == nobody {
		run = "root's PostgreSQL runs as that user, so run this as root"
	}
	if uid == wanted {
		return nil
	}
	return fmt.Errorf("the PostgreSQL data in %s belong to the user %s: %s, or choose another folder", cfg.Dir, userName(uid), run)
}

// Owner names the user whom a file or folder belongs to: one that cannot be seen belongs to whom the nearest folder around it
// that can be seen does. "" if there is none.
func Owner(path string) string {
	uid, found := ownerOf(path)
	if !found {
		return ""
	}
	return userName(uid)
}

func ownerOf(path string) (uid int, found bool) {
	info, err := os.Stat(path)
	if os.IsPermission(err) && path != filepath.Dir(path) {
		return ownerOf(filepath.Dir(path))
	}
	if err != nil {
		return 0, false
	}
	return int(info.Sys().(*syscall.Stat_t).Uid), true
}

func userName(uid int) string {
	number := strconv.Itoa(uid)
	if known, err := user.LookupId(number); err == nil {
		return known.Username
	}
	return number
}

func (who identity) makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return who.own(dir)
}

func (who identity) writeFile(name, text string) error {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return err
	}
	return who.own(name)
}

func (who identity) own(name string) error {
	if !who.drop {
		return nil
	}
	return os.Chown(name, nobody, nobody)
}

// command prepares a program to run as this identity, in a process group of its own: Ctrl-C in a terminal is ours to pass on,
// after what uses the database has ended. onDeath is sent to it when we die.
func (who identity) command(program string, args []string, onDeath syscall.Signal) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/" // ours may be closed to nobody
	// Nothing of our environment (PGDATA, PGPORT, LD_PRELOAD, …) may reach PostgreSQL.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if who.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	who.bind(cmd.SysProcAttr, onDeath)
	return cmd
}
