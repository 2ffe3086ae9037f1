// SPDX-License-Identifier: Apache-2.0

// Command words refuses words in the project's Go and Markdown files that
// CONTRIBUTING.md advises against. Its list is words.txt. A line that quotes
// one of them has the mark "words:quote" in a comment.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

//go:embed words.txt
var list string

// mark is in lines that quote a word.
const mark = "words:quote"

// longestLine is how long a line may be that is read, in bytes.
const longestLine = 1 << 20

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(1)
	}
}

// word is a word to avoid.
type word struct {
	pattern *regexp.Regexp
	text    string
	most    int // how many are allowed; more are an error
	instead string
	found   []string
}

func run(out io.Writer) error {
	words, err := parse(list)
	if err != nil {
		return err
	}
	files, err := exec.CommandContext(context.Background(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.go", "*.md").Output()
	if err != nil {
		return fmt.Errorf("list the files: %w", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		if err := look(name, words); err != nil {
			return err
		}
	}
	refused := false
	for _, w := range words {
		if len(w.found) <= w.most {
			continue
		}
		refused = true
		fmt.Fprintf(out, "%q is used %d times, at most %d are allowed; write %s:\n", w.text, len(w.found), w.most, w.instead)
		for _, place := range w.found {
			fmt.Fprintln(out, "  "+place)
		}
	}
	if refused {
		return errors.New("see CONTRIBUTING.md")
	}
	return nil
}

// parse reads the list: on each line a word, how many are allowed, and what to write
// instead, separated by tabs.
func parse(list string) ([]*word, error) {
	var words []*word
	for number, line := range strings.Split(list, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, "\t")
		if len(parts) != 3 {
			return nil, fmt.Errorf("words.txt:%d: %d parts, want 3", number+1, len(parts))
		}
		most, err := strconv.Atoi(parts[1])
		if err != nil {
			return nil, fmt.Errorf("words.txt:%d: %w", number+1, err)
		}
		pattern := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(parts[0]) + `\b`)
		words = append(words, &word{pattern: pattern, text: parts[0], most: most, instead: parts[2]})
	}
	return words, nil
}

// look finds the words in a file.
func look(name string, words []*word) error {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it is deleted, and not committed yet
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, longestLine)
	for number := 1; scanner.Scan(); number++ {
		line := scanner.Text()
		if strings.Contains(line, mark) {
			continue
		}
		line = strings.ReplaceAll(line, "http.NoBody", "") // a name in Go's library
		for _, w := range words {
			for range w.pattern.FindAllString(line, -1) {
				w.found = append(w.found, fmt.Sprintf("%s:%d: %s", name, number, strings.TrimSpace(line)))
			}
		}
	}
	return scanner.Err()
}
