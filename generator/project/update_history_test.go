package project

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/update"
)

// refuses expects that an update is refused for one reason, and that nothing is written.
func (s *scene) refuses(at, msg, hint string) {
	s.Helper()
	before := s.everything()
	s.update()
	fault, ok := errors.AsType[*generator.Fault](s.err)
	if !ok {
		s.Fatalf("error %v", s.err)
	}
	rel, err := filepath.Rel(s.dir, fault.At)
	if err != nil || rel != at || fault.Msg != msg || fault.Hint != hint {
		s.Errorf("%q | %q | %q", rel, fault.Msg, fault.Hint)
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		s.Errorf("written (-before +after):\n%s", diff)
	}
}

// 24: a changed answer takes its files with it.
func TestUpdateTakesAChangedAnswer(t *testing.T) {
	s := newScene(t, first, first)
	s.edit("rotasmith.yaml", "ci: github", "ci: none")
	s.updated(".github/workflows/ci.yml: removed")
	s.absent(".github")
	s.checked()
	s.again()
}

// 24: so does one that is set on the way, which is written into its line.
func TestUpdateSetsAnAnswer(t *testing.T) {
	s := newScene(t, first, first)
	s.edit("rotasmith.yaml", "ci: github", "ci: github # for now")
	s.commit()
	before := s.read("rotasmith.yaml")
	s.changed(func(u *Updater) { u.Set = generator.Texts(map[string]string{"ci": "none"}) })
	s.updated(".github/workflows/ci.yml: removed")
	s.wants("rotasmith.yaml", strings.Replace(before, "ci: github", "ci: none", 1))
	s.checked()
}

// 25, 26, 27: the module.
func TestUpdateOfTheModule(t *testing.T) {
	const was, is = "example.com/orders", "git.example.org/shop/orders"
	sed := func(s *scene) {
		for _, file := range []string{"go.mod", "main.go", "internal/shared/shared.go"} {
			s.write(file, strings.ReplaceAll(s.read(file), was, is))
		}
	}
	t.Run("25 another answer, an edited file", func(t *testing.T) {
		s := newScene(t, first, first)
		s.edit("main.go", "func main() {", "// Mine.\nfunc main() {")
		s.write("mine.go", "package main\n\nimport _ \""+was+"/internal/pair\"\n")
		s.commit()
		s.edit("rotasmith.yaml", was, is)
		u := s.updated("go.mod: updated", "internal/shared/shared.go: updated", "main.go: merged")
		if text := s.read("main.go"); strings.Contains(text, was) || !strings.Contains(text, is+"/internal/pair") {
			t.Error(text)
		}
		if diff := cmp.Diff([]string{"mine.go"}, u.Importers); diff != "" {
			t.Errorf("importers (-want +got):\n%s", diff)
		}
		s.checked("main.go: edited")
	})
	t.Run("26 renamed everywhere, and in the answer", func(t *testing.T) {
		s := newScene(t, first, second)
		sed(s)
		s.edit("rotasmith.yaml", was, is)
		s.commit()
		s.updated(but("go.mod: merged, driver v1.0.0 -> v1.1.0")...)
		s.checked()
	})
	t.Run("27 renamed everywhere, but not in the answer", func(t *testing.T) {
		s := newScene(t, first, second)
		sed(s)
		s.commit()
		s.refuses("go.mod", "is for module "+is+", but the answer to module is "+was, "set module: "+is+" in rotasmith.yaml")
	})
}

// 28: a file of an engine that is no longer the project's stays if it was edited.
func TestUpdateToAnotherEngine(t *testing.T) {
	tree := over(first, changes{"engines/beta/single/go.mod.tmpl": "module {{.Module}}\n"})
	s := newScene(t, tree, tree, "type=db-single")
	s.edit("internal/alpha/alpha.go", "package alpha", "// Mine.\npackage alpha")
	s.commit()
	s.edit("rotasmith.yaml", "engine: alpha", "engine: beta")
	s.updated("go.mod: updated", "internal/alpha/alpha.go: left, edited here, so it stays", "internal/wire/wire.go: removed", "main.go: updated")
	s.wants("internal/alpha/alpha.go", "// Mine.\npackage alpha\n")
	s.checked()
}

// 29: a record with conflict markers.
func TestUpdateRefusesAConflictInTheLock(t *testing.T) {
	s := newScene(t, first, second)
	s.edit(".rotasmith/lock.json", "{", "<<<<<<< ours\n{")
	s.commit()
	s.refuses(".rotasmith/lock.json", "has conflict markers", "take either side: git checkout --ours .rotasmith/lock.json, then rotasmith update")
}

// 30: a record that is lost is found in git, or read from the files.
func TestUpdateWithoutALock(t *testing.T) {
	edit := func(s *scene) {
		s.edit("Makefile", "test:", "tests:")
		s.commit()
		s.remove(".rotasmith/lock.json")
	}
	t.Run("removed, not committed", func(t *testing.T) {
		s := newScene(t, first, second)
		edit(s)
		s.updated(but("Makefile: merged")...)
		s.checked("Makefile: edited")
	})
	t.Run("removed and committed", func(t *testing.T) {
		s := newScene(t, first, second)
		edit(s)
		s.commit()
		s.write("notes.txt", "later\n")
		s.commit()
		s.updated(but("Makefile: merged")...)
		s.checked("Makefile: edited")
	})
	t.Run("no git, a released version", func(t *testing.T) {
		s := newScene(t, first, second)
		edit(s)
		if err := os.RemoveAll(s.path(".git")); err != nil {
			t.Fatal(err)
		}
		s.released(first)
		s.updated(but("Makefile: conflict, what rotasmith wrote is not to be found, so yours stays")...)
		s.again()
	})
	t.Run("no git, no released version", func(t *testing.T) {
		s := newScene(t, first, second)
		edit(s)
		if err := os.RemoveAll(s.path(".git")); err != nil {
			t.Fatal(err)
		}
		before := s.read("latin.txt")
		u := s.update()
		if s.err != nil || u.Conflicts() == 0 {
			t.Fatalf("%d conflicts, %v", u.Conflicts(), s.err)
		}
		s.wants("latin.txt", before)
	})
}

// 32: what both have changed is merged again at the next update, whose base the project keeps.
func TestUpdateOfAMergedFile(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("docs/a.md", "two", "2")
	s.commit()
	s.updated(but("docs/a.md: merged")...)
	s.wants(".rotasmith/base/docs/a.md", second["project/docs/a.md"])
	s.commit()
	s.to = over(second, changes{"project/docs/a.md": strings.Replace(second["project/docs/a.md"], "SIX", "SIXTH", 1)})
	s.updated("docs/a.md: merged")
	s.wants("docs/a.md", "one\n2\nthree\nfour\nfive\nSIXTH\nseven\n")
	s.again()
	s.commit()
	s.write("docs/a.md", "one\ntwo\nthree\nfour\nfive\nSIXTH\nseven\n") // the edit is undone
	s.commit()
	s.to = over(s.to, changes{"project/docs/b.md": "b\n"})
	s.updated("docs/b.md: added")
	s.absent(".rotasmith/base")
}

// 33: a shallow clone does not have what was written; the templates of a released version have.
func TestUpdateInAShallowClone(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("docs/a.md", "two", "2")
	s.edit("terraform/topics.tf", "value = 1", "value = 11")
	s.commit()
	origin := s.dir
	s.dir += "-clone"
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", "--depth", "1", "file://"+filepath.ToSlash(origin), s.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The new file is held back: with topics.tf, Terraform would have every resource twice.
	const gone = "what rotasmith wrote is not to be found, so yours stays"
	u := s.updated(but("docs/a.md: conflict, "+gone, "terraform/sns.tf: ",
		"terraform/topics.tf: conflict, "+gone+"; terraform/sns.tf, which it seems to have become, is not written")...)
	s.absent("terraform/sns.tf")
	if want := "the clone is shallow: git fetch --unshallow, or rotasmith update --from VERSION"; u.NoBase != want {
		t.Errorf("%q", u.NoBase)
	}
	s.again()
	s.released(first)
	s.updated("docs/a.md: merged", "terraform/sns.tf: merged from terraform/topics.tf")
	s.absent("terraform/topics.tf")
	s.checked("docs/a.md: edited", "terraform/sns.tf: edited")
	s.again()
}

// I12: a clone without old contents would fetch them by itself when it is asked for one. Nothing is fetched, and it is said what to do.
func TestUpdateFetchesNothing(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("docs/a.md", "two", "2")
	s.commit()
	s.git("config", "uploadpack.allowFilter", "true")
	origin := s.dir
	s.dir += "-clone"
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", "--filter=blob:none", "file://"+filepath.ToSlash(origin), s.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fetched := filepath.Join(t.TempDir(), "fetched")
	s.git("config", "remote.origin.url", "ext::touch "+filepath.ToSlash(fetched))
	s.git("config", "protocol.ext.allow", "always")
	u := s.updated(but("docs/a.md: conflict, what rotasmith wrote is not to be found, so yours stays")...)
	if _, err := os.Stat(fetched); err == nil {
		t.Error("git was let fetch")
	}
	if want := "the clone has no old contents: git fetch --refetch --no-filter, or rotasmith update --from VERSION"; u.NoBase != want {
		t.Errorf("%q", u.NoBase)
	}
}

// 34: without git nothing is different, as long as the version was released.
func TestUpdateWithoutGit(t *testing.T) {
	s := newScene(t, first, second)
	if err := os.RemoveAll(s.path(".git")); err != nil {
		t.Fatal(err)
	}
	s.edit("docs/a.md", "two", "2")
	s.released(first)
	s.updated(but("docs/a.md: merged")...)
	s.checked("docs/a.md: edited")
	s.again()
}

// A version that the user names is the last resort, and only what has the digest of the record counts (I10).
func TestUpdateAsksAnotherVersion(t *testing.T) {
	for name, wrong := range map[string]bool{"its files": false, "other files": true} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, first, second)
			if err := os.RemoveAll(s.path(".git")); err != nil {
				t.Fatal(err)
			}
			s.edit("docs/a.md", "two", "2")
			s.changed(func(u *Updater) {
				u.From = func(_ context.Context, answers []byte, files []string) (map[string][]byte, error) {
					if diff := cmp.Diff([]string{"docs/a.md"}, files); diff != "" || string(answers) != s.read("rotasmith.yaml") {
						t.Errorf("asked for %s", diff)
					}
					text := first["project/docs/a.md"]
					if wrong {
						text += "\n"
					}
					return map[string][]byte{"docs/a.md": []byte(text)}, nil
				}
			})
			want := "docs/a.md: merged"
			if wrong {
				want = "docs/a.md: conflict, what rotasmith wrote is not to be found, so yours stays"
			}
			s.updated(but(want)...)
		})
	}
}

// A person's text is not overwritten as long as nothing else has it.
func TestUpdateRefusesWhatIsNotCommitted(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("docs/a.md", "two", "2")
	s.refuses("docs/a.md", "is changed but not committed, and would be merged", "commit or stash it, then rotasmith update")
	s.commit()
	s.edit("internal/pair/pair.go", "package", "// Mine.\npackage") // its template has not changed
	s.write("notes.txt", "mine\n")
	s.updated(but("docs/a.md: merged")...)

	// A file that the update itself has written is no work of a person.
	s.to = over(second, changes{"project/docs/a.md": strings.Replace(second["project/docs/a.md"], "SIX", "SIXTH", 1)})
	s.updated("docs/a.md: merged")
}

// A file with the markers of another merge is not merged into.
func TestUpdateRefusesMarkers(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("docs/a.md", "two\n", "<<<<<<< HEAD\ntwo\n=======\n2\n>>>>>>> branch\n")
	s.commit()
	s.refuses("docs/a.md", "has conflict markers", "settle them, then rotasmith update")
}

// The way of a conflict: offered, still open, settled and offered no more; thrown away and offered anew.
func TestUpdateOfAConflict(t *testing.T) {
	const open = "Makefile:4: conflict, both changed it"
	start := func(t *testing.T) *scene {
		s := newScene(t, first, second)
		s.edit("Makefile", "go build", "go build -v")
		s.commit()
		s.updated(but(open)...)
		return s
	}
	t.Run("open", func(t *testing.T) {
		s := start(t)
		s.again()
		s.updated("Makefile:4: conflict, its markers are still there")
		if text := s.git("ls-files", "-u"); strings.Count(text, "\tMakefile\n") != 3 {
			t.Errorf("index: %s", text)
		}
		for stage, want := range map[string]string{":1": "go build\n", ":2": "go build -v\n", ":3": "go build ./...\n"} {
			if text := s.git("show", stage+":Makefile"); !strings.Contains(text, want) {
				t.Errorf("stage %s: %s", stage, text)
			}
		}
	})
	t.Run("settled", func(t *testing.T) {
		s := start(t)
		s.write("Makefile", "all: build\n\nbuild:\n\tgo build -v ./...\n\ntest:\n\tgo test\n")
		s.updated("Makefile: settled")
		s.checked("Makefile: edited")
		s.absent(".rotasmith/theirs")
		s.again()
		s.to = over(second, changes{"project/Makefile": strings.Replace(second["project/Makefile"], "go test", "go test ./...", 1)})
		s.commit()
		s.updated("Makefile: merged")
		s.wants("Makefile", "all: build\n\nbuild:\n\tgo build -v ./...\n\ntest:\n\tgo test ./...\n")
	})
	t.Run("settled when the templates have moved on again", func(t *testing.T) {
		s := start(t)
		s.write("Makefile", "all: build\n\nbuild:\n\tgo build -v ./...\n\ntest:\n\tgo test\n")
		s.commit()
		s.to = over(second, changes{"project/Makefile": strings.Replace(second["project/Makefile"], "go test", "go test ./...", 1)})
		s.updated("Makefile: merged")
		s.wants("Makefile", "all: build\n\nbuild:\n\tgo build -v ./...\n\ntest:\n\tgo test ./...\n")
	})
	t.Run("settled as the templates give it", func(t *testing.T) {
		s := start(t)
		s.write("Makefile", second["project/Makefile"])
		s.updated("Makefile: settled")
		s.checked()
	})
	t.Run("thrown away", func(t *testing.T) {
		s := start(t)
		s.git("checkout", "-q", "HEAD", "--", "Makefile")
		s.updated(open)
		s.again()
	})
	t.Run("ours", func(t *testing.T) {
		s := start(t)
		s.changed(func(u *Updater) { u.Ours = true })
		s.updated("Makefile: ours")
		s.wants("Makefile", strings.Replace(first["project/Makefile"], "go build", "go build -v", 1))
		s.checked("Makefile: edited")
		s.again()
	})
	t.Run("ours at once", func(t *testing.T) {
		s := newScene(t, first, second)
		s.edit("Makefile", "go build", "go build -v")
		s.edit("README.md", "Three.", "Three, mine.")
		s.write("logo.bin", "\x00\x01mine")
		s.commit()
		s.changed(func(u *Updater) { u.Ours = true })
		s.updated(but("Makefile: ours", "README.md: ours", "logo.bin: ours, not text in UTF-8, so yours stays")...)
		s.again()
		s.changed(func(u *Updater) { u.Ours = false })
		s.again()
	})
	t.Run("a file of both, thrown away", func(t *testing.T) {
		s := newScene(t, first, second)
		s.write("docs/new.md", "mine\n")
		s.commit()
		s.updated(but("docs/new.md:1: conflict, both added it")...)
		s.git("checkout", "-q", "HEAD", "--", "docs/new.md")
		s.updated("docs/new.md:1: conflict, both added it")
	})
}

// A kept file's conflict is offered again at every update, and never stops one.
func TestUpdateOffersAKeptFileAgain(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("README.md", "Three.", "Three, mine.")
	s.commit()
	const kept = "README.md: kept, both changed it, so yours stays"
	s.updated(but(kept)...)
	s.updated(kept)
	s.edit("README.md", "Three, mine.", "Three.")
	s.commit()
	s.updated("README.md: updated")
}

// No resource stands twice because of an update, also where the user has added it by hand.
func TestUpdateDoublesNoResource(t *testing.T) {
	s := newScene(t, first, second)
	s.write("terraform/mine.tf", alarms("more", 9))
	s.commit()
	s.updated(but("terraform/alarms.tf: conflict, aws_cloudwatch_metric_alarm.more would stand twice, so it is not written")...)
	s.again()
	s.remove("terraform/mine.tf")
	s.updated("terraform/alarms.tf: updated")
	s.checked()
}

// I6: an update over a version between gives the same project.
func TestUpdateOverAVersion(t *testing.T) {
	third := over(second, changes{"project/docs/c.md": "c\n", "project/tools/gen.sh": "", "project/Makefile": "all:\n"})
	s := newScene(t, first, second)
	s.updated(calm...)
	s.to = third
	s.update()
	d := newScene(t, first, third)
	d.update()
	if s.err != nil || d.err != nil {
		t.Fatal(s.err, d.err)
	}
	if diff := cmp.Diff(listing(t, d.dir)[".rotasmith/lock.json"], listing(t, s.dir)[".rotasmith/lock.json"]); diff != "" {
		t.Errorf("lock (-direct +stepwise):\n%s", diff)
	}
	if diff := cmp.Diff(texts(d), texts(s)); diff != "" {
		t.Errorf("-direct +stepwise:\n%s", diff)
	}
}

// texts is a project's content without times.
func texts(s *scene) map[string]string {
	all := s.everything()
	for file, text := range all {
		_, text, _ = strings.Cut(text, "\n")
		all[file] = text
	}
	return all
}

// I7: files that rotasmith does not write keep their bytes, modes and times; so does what has not changed.
func TestUpdateLeavesForeignFilesAlone(t *testing.T) {
	s := newScene(t, first, second)
	s.write("notes.txt", "mine\n")
	s.write("docs/mine.md", "mine\n")
	if err := os.Chmod(s.path("notes.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := s.everything()
	s.updated(calm...)
	after := s.everything()
	for _, file := range []string{"notes.txt", "docs/mine.md", "internal/pair/pair.go", "rotasmith.yaml"} {
		if before[file] != after[file] || before[file] == "" {
			t.Errorf("%s: %q, then %q", file, before[file], after[file])
		}
	}
}

// A new question is answered by its default in the answers file; an answer that was taken out is not put back.
func TestUpdateAsksNewQuestions(t *testing.T) {
	asks := changes{"engines/alpha/engine.yaml": "name: alpha\ntitle: Alpha DB\naliases: [aurora-alpha]\nincludes: [wire]\nquestions:\n  - {key: kind, default: big, help: a kind}\n"}
	s := newScene(t, first, over(first, asks))
	s.edit("rotasmith.yaml", "ci: github\n", "")
	before := s.read("rotasmith.yaml")
	s.updated()
	if after := s.read("rotasmith.yaml"); strings.Replace(after, "kind: big # new: default\n", "", 1) != before || after == before {
		t.Errorf("answers:\n%s", after)
	}
	s.checked()
	s.again()
}

// A release that does not concern a project makes no difference in it; one that does says who wrote it.
func TestUpdateStampsTheLock(t *testing.T) {
	s := newScene(t, first, first)
	s.changed(func(u *Updater) { u.Renderer.Version = "v1.2.3" })
	if u := s.again(); u.Written {
		t.Error("written")
	}
	s.to = second
	s.updated(calm...)
	if text := s.read(".rotasmith/lock.json"); !strings.Contains(text, `"rotasmith": "v1.2.3"`) {
		t.Error(text)
	}
}

// An update says what it would do, and does nothing.
func TestUpdateDry(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("Makefile", "go build", "go build -v")
	s.commit()
	before := s.everything()
	s.changed(func(u *Updater) { u.DryRun = true })
	s.updated(but("Makefile:4: conflict, both changed it")...)
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("written (-before +after):\n%s", diff)
	}
	if _, err := os.Lstat(s.path(undoFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the way back is there")
	}
}

// No outcome is without a name in the list that is counted by.
func TestOutcomes(t *testing.T) {
	if n := len(update.Outcomes()); n != 10 {
		t.Errorf("%d outcomes", n)
	}
}
