//! The rules of CONTRIBUTING.md that a machine can check, over every file that git knows or would add. All
//! findings at once, each with its reason. Formatting, lints and the length of functions are rustfmt's and
//! clippy's.

#[cfg(test)]
mod tidy {
    mod arrows;
    mod conformance;
    mod events;
    mod files;
    mod pictures;
    mod words;

    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// A file of the project: its path from the root, with `/`, and its text.
    pub struct File {
        pub path: String,
        pub text: String,
    }

    impl File {
        pub fn is_rust(&self) -> bool {
            self.extension() == "rs"
        }

        pub fn is_prose(&self) -> bool {
            self.extension() == "md"
        }

        pub fn is_test(&self) -> bool {
            self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
        }

        fn extension(&self) -> &str {
            self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
        }

        /// `path:line` and the line, from one on.
        pub fn lines(&self) -> impl Iterator<Item = (String, &str)> {
            self.text
                .lines()
                .enumerate()
                .map(|(index, line)| (format!("{}:{}", self.path, index + 1), line))
        }
    }

    pub fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Every text file but lock files.
    fn files() -> Vec<File> {
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = Command::new("git")
            .args(arguments)
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            listed.status.success(),
            "git lists the files: {}",
            String::from_utf8_lossy(&listed.stderr)
        );
        let listed = String::from_utf8(listed.stdout).unwrap();
        let paths = listed
            .split('\0')
            .filter(|path| !path.is_empty() && !path.to_lowercase().contains("lock"));
        paths
            .filter_map(|path| {
                let text = std::fs::read_to_string(root().join(path)).ok()?;
                Some(File {
                    path: path.to_owned(),
                    text,
                })
            })
            .collect()
    }

    #[test]
    fn the_house_rules_hold() {
        let files = files();
        let rust = files.iter().filter(|file| file.is_rust()).count();
        assert!(
            rust > 50,
            "only {rust} Rust files were found: the rules were not checked"
        );
        let mut findings = Vec::new();
        for check in [
            files::check,
            words::check,
            conformance::check,
            events::check,
            pictures::check,
        ] {
            check(&files, &mut findings);
        }
        arrows::check(&mut findings);
        assert!(
            findings.is_empty(),
            "{} findings:\n{}\n",
            findings.len(),
            findings.join("\n")
        );
    }
}
