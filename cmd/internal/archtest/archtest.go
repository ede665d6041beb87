// Package archtest holds the rules on what may import what, and the test that keeps them: consent and contracts know nothing of the
// others, sync knows both, cmd knows all.
//
// The rules are the table in rules.go. The test reads the imports itself: one that asks the go command is served old answers
// from the test cache.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// file is what the rules look at in one Go file.
type file struct {
	path    string // from the module's root
	dir     string
	name    string // of the package, without the _test of an outside test
	test    bool
	imports []imported
}

type imported struct{ alias, path string }

// violations lists every breach of the rules in the module, one a line.
func (r rules) violations(module fs.FS) ([]string, error) {
	files, err := readFiles(module)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		for _, breach := range slices.Concat(r.placement(f), r.imports(f)) {
			found = append(found, f.path+": "+breach)
		}
	}
	return append(found, sharedNames(files)...), nil
}

// readFiles parses the head of every Go file.
func readFiles(module fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(module, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(module, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files = append(files, newFile(name, parsed))
		return nil
	})
	return files, err
}

func newFile(name string, parsed *ast.File) file {
	f := file{
		path: name, dir: path.Dir(name),
		name: strings.TrimSuffix(parsed.Name.Name, "_test"), test: strings.HasSuffix(name, "_test.go"),
	}
	for _, spec := range parsed.Imports {
		imported := imported{}
		imported.path, _ = strconv.Unquote(spec.Path.Value)
		if spec.Name != nil {
			imported.alias = spec.Name.Name
		}
		f.imports = append(f.imports, imported)
	}
	return f
}

// placement judges where the file's package lies and what it is called.
func (r rules) placement(f file) []string {
	var breaches []string
	if slices.Contains(r.vagueNames, f.name) {
		breaches = append(breaches, fmt.Sprintf("package %s says nothing about what is in it", f.name))
	}
	if f.name != "main" && f.name != path.Base(f.dir) {
		breaches = append(breaches, fmt.Sprintf("package %s lies in a directory of another name", f.name))
	}
	if _, _, known := r.row(f.dir); !known {
		breaches = append(breaches, "the package has no row in rules.go")
	}
	return breaches
}

// imports judges what the file imports.
func (r rules) imports(f file) []string {
	var breaches []string
	for _, i := range f.imports {
		if i.alias != "" && i.alias != "_" {
			breaches = append(breaches, fmt.Sprintf("imports %s under another name, %s", i.path, i.alias))
		}
		if dir, ours := strings.CutPrefix(i.path, r.module+"/"); ours {
			breaches = append(breaches, r.ownImport(f, dir)...)
			continue
		}
		breaches = append(breaches, r.foreignImport(f, i.path)...)
	}
	return breaches
}

// ownImport judges an import within the module. Tests are free to use any row of the trees they may see.
func (r rules) ownImport(f file, dir string) []string {
	tree, row, _ := r.row(f.dir)
	importedTree, importedRow, known := r.row(dir)
	switch {
	case f.test && slices.Contains(r.forTests, dir), slices.Contains(r.leaves[tree], dir):
		return nil
	case !f.test && !slices.Contains(r.forTests, f.dir) && slices.Contains(r.forTests, dir):
		return []string{dir + " is for tests only"}
	case tree == importedTree && known && importedRow > row && !f.test:
		return []string{fmt.Sprintf("imports %s, which lies in a lower row", dir)}
	case tree != importedTree && !slices.Contains(r.arrows[tree], importedTree):
		return []string{fmt.Sprintf("tree %s must not know tree %s (%s)", tree, importedTree, dir)}
	}
	return nil
}

// foreignImport judges an import from outside the module.
func (r rules) foreignImport(f file, imported string) []string {
	var breaches []string
	for library, dirs := range r.reserved {
		if within(imported, library) && !slices.Contains(dirs, f.dir) {
			breaches = append(breaches, fmt.Sprintf("imports %s, which is reserved for %s", imported, strings.Join(dirs, ", ")))
		}
	}
	for _, library := range r.testLibraries {
		exempt := f.test || slices.Contains(r.forTests, f.dir) || slices.Contains(r.testLibrariesIn[library], f.dir)
		if within(imported, library) && !exempt {
			breaches = append(breaches, fmt.Sprintf("imports %s, which is for tests only", imported))
		}
	}
	return breaches
}

// row finds a package's tree and its place there.
func (r rules) row(dir string) (tree string, row int, known bool) {
	tree, name, nested := strings.Cut(dir, "/")
	if !nested {
		name = "."
	}
	row = slices.Index(r.rows[tree], name)
	return tree, row, row >= 0
}

// sharedNames finds package names that are used twice: they would need an alias wherever both are imported.
func sharedNames(files []file) []string {
	dirs := map[string]string{}
	var breaches []string
	for _, f := range files {
		first, taken := dirs[f.name]
		if taken && first != f.dir && f.name != "main" {
			breaches = append(breaches, fmt.Sprintf("%s: package %s exists in %s too", f.path, f.name, first))
		}
		if !taken {
			dirs[f.name] = f.dir
		}
	}
	return breaches
}

func within(imported, library string) bool {
	return imported == library || strings.HasPrefix(imported, library+"/")
}
