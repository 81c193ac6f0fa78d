use std::fs;

use expect_test::{Expect, expect};

use super::*;

/// The command line after `waypass serve`; the environment of this process is not read.
fn args(line: &str) -> ServeArgs {
    let mut args = ServeArgs::default();
    let mut words = line.split_whitespace();
    while let (Some(flag), Some(value)) = (words.next(), words.next()) {
        let value = value.to_owned();
        match flag {
            "--trusted-proxy" => args.trusted_proxy.push(value),
            "--config" => args.config = Some(value),
            "--data" => args.data = Some(value),
            "--database" => args.database = Some(value),
            "--listen" => args.listen = Some(value),
            "--issuer" => args.issuer = Some(value),
            "--key-file" => args.key_file = Some(value),
            "--tls-certificate" => args.tls_certificate = Some(value),
            "--tls-key" => args.tls_key = Some(value),
            "--mtls-listen" => args.mtls_listen = Some(value),
            "--mtls-origin" => args.mtls_origin = Some(value),
            "--mtls-proxy" => args.mtls_proxy.push(value),
            "--metrics-listen" => args.metrics_listen = Some(value),
            "--log-format" => args.log_format = Some(value),
            _ => panic!("no flag {flag}"),
        }
    }
    args
}

fn problems(args: &ServeArgs) -> String {
    match Config::load(args) {
        Ok(_) => "  fits\n".to_owned(),
        Err(problems) => problems
            .iter()
            .fold(String::new(), |told, problem| format!("{told}  {problem}\n")),
    }
}

/// Each command line with its problems.
fn check(lines: &[&str], expected: &Expect) {
    let table = lines.iter().map(|line| format!("{line}\n{}", problems(&args(line))));
    expected.assert_eq(&table.collect::<String>());
}

/// A file with this text, removed in the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("waypass-config-{}-{name}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn args(&self, line: &str) -> ServeArgs {
        ServeArgs {
            config: Some(self.0.to_str().unwrap().to_owned()),
            ..args(line)
        }
    }

    fn problems(&self, line: &str) -> String {
        problems(&self.args(line)).replace(self.0.to_str().unwrap(), "FILE")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_data_directory_is_all_that_must_be_said() {
    let config = Config::load(&args("--data d")).ok().unwrap();
    assert_eq!(config.issuer.as_str(), "http://localhost:8628");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8628");
    assert_eq!(config.socket(), PathBuf::from("d/waypass.sock"));
    assert_eq!(config.key_file, PathBuf::from("d/key"));
    assert!(config.database.is_none() && config.tls.is_none());
    assert_eq!(config.lifetimes.device_code, Lifetime::from_seconds(600));
    assert_eq!(config.limits.guesses, guess::Limits::DEFAULT);
}

#[test]
fn plain_http_is_for_loopback_alone() {
    check(
        &[
            "--data d --issuer http://localhost:9000 --listen [::1]:9000",
            "--data d --listen 0.0.0.0:8628",
            "--data d --issuer https://login.example.com",
            "--data d --issuer https://login.example.com --listen 0.0.0.0:443",
            "--data d --issuer https://login.example.com --trusted-proxy 127.0.0.1",
            "--data d --issuer https://localhost:8443/as --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1",
            "--data d --issuer https://login.example.com --listen 10.0.0.2:80 --trusted-proxy 10.0.0.1",
            "--data d --issuer https://login.example.com --listen 0.0.0.0:443 --tls-certificate c --tls-key k",
            "--data d --issuer https://login.example.com --tls-certificate c",
            "--data d --issuer https://login.example.com --tls-key k",
            "--data d --tls-certificate c --tls-key k",
            "--data d --issuer http://login.example.com",
        ],
        &expect![[r"
            --data d --issuer http://localhost:9000 --listen [::1]:9000
              fits
            --data d --listen 0.0.0.0:8628
              --listen (WAYPASS_LISTEN): 0.0.0.0:8628 can be reached from other machines, but http://localhost:8628 is plain http: listen on 127.0.0.1, or give an https issuer with --tls-certificate and --tls-key
            --data d --issuer https://login.example.com
              --issuer (WAYPASS_ISSUER): https://login.example.com needs TLS: give --tls-certificate and --tls-key, or let a proxy on this machine speak TLS and name it with --trusted-proxy
            --data d --issuer https://login.example.com --listen 0.0.0.0:443
              --issuer (WAYPASS_ISSUER): https://login.example.com needs TLS: give --tls-certificate and --tls-key, or let a proxy on this machine speak TLS and name it with --trusted-proxy
            --data d --issuer https://login.example.com --trusted-proxy 127.0.0.1
              fits
            --data d --issuer https://localhost:8443/as --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1
              fits
            --data d --issuer https://login.example.com --listen 10.0.0.2:80 --trusted-proxy 10.0.0.1
              --listen (WAYPASS_LISTEN): behind a proxy this server speaks plain HTTP, but 10.0.0.2:80 can be reached from other machines: listen on 127.0.0.1, or give --tls-certificate and --tls-key
            --data d --issuer https://login.example.com --listen 0.0.0.0:443 --tls-certificate c --tls-key k
              fits
            --data d --issuer https://login.example.com --tls-certificate c
              --tls-certificate (WAYPASS_TLS_CERTIFICATE): the private key is missing: give --tls-key too
            --data d --issuer https://login.example.com --tls-key k
              --tls-key (WAYPASS_TLS_KEY): the certificate is missing: give --tls-certificate too
            --data d --tls-certificate c --tls-key k
              --issuer (WAYPASS_ISSUER), by default: a TLS certificate is given, but http://localhost:8628 is plain http: make it https
            --data d --issuer http://login.example.com
              --issuer (WAYPASS_ISSUER): plain http is for localhost only; use https
        "]],
    );
}

#[test]
fn every_problem_is_told_at_once() {
    check(
        &[
            "",
            "--issuer https://192.0.2.1 --listen localhost:80 --log-format xml --trusted-proxy a,b --metrics-listen 9",
            "--data d --trusted-proxy 0.0.0.0/0 --issuer https://login.example.com",
            "--data d --listen 127.0.0.1:9 --metrics-listen 127.0.0.1:9",
            "--data d --database sqlite://x",
            "--data d --database postgres://u@h/n",
            "--data d --database postgres://u@h/n --key-file k",
            "--data d --config /nowhere/waypass.toml",
        ],
        &expect![[r#"

              --data: say where this server keeps its data: --data DIR
            --issuer https://192.0.2.1 --listen localhost:80 --log-format xml --trusted-proxy a,b --metrics-listen 9
              --data: say where this server keeps its data: --data DIR
              --listen (WAYPASS_LISTEN): "localhost:80" is not an IP address with a port, such as 127.0.0.1:8628
              --issuer (WAYPASS_ISSUER): the host must be a name, since passkeys do not work on IP addresses; on this machine alone use localhost (the listening address may stay an IP address)
              --trusted-proxy (WAYPASS_TRUSTED_PROXY): "a,b" is neither an IP address nor a network such as 10.0.0.0/8
              --metrics-listen (WAYPASS_METRICS_LISTEN): "9" is not an IP address with a port, such as 127.0.0.1:8628
              --log-format (WAYPASS_LOG_FORMAT): must be text or json
            --data d --trusted-proxy 0.0.0.0/0 --issuer https://login.example.com
              --trusted-proxy (WAYPASS_TRUSTED_PROXY): 0.0.0.0/0 would trust everybody, and anybody could then claim any address; name the proxy
            --data d --listen 127.0.0.1:9 --metrics-listen 127.0.0.1:9
              --metrics-listen (WAYPASS_METRICS_LISTEN): 127.0.0.1:9 is the listening address; metrics need a port of their own
            --data d --database sqlite://x
              --database (WAYPASS_DATABASE): must begin with postgres:// (for SQLite leave it out: the database is then in the data directory)
            --data d --database postgres://u@h/n
              --key-file: required with --database: all servers of one database need the same key, so it cannot be made in one data directory
            --data d --database postgres://u@h/n --key-file k
              fits
            --data d --config /nowhere/waypass.toml
              --config: /nowhere/waypass.toml cannot be read: No such file or directory (os error 2)
        "#]],
    );
}

#[test]
fn a_socket_path_that_the_kernel_would_refuse_is_told() {
    let fits = "d".repeat(107 - "/waypass.sock".len());
    assert_eq!(problems(&args(&format!("--data {fits}"))), "  fits\n");
    expect![[r"
          --data (WAYPASS_DATA): the socket waypass.sock in this directory would have a path of 108 bytes, and 107 are allowed: choose a shorter one, or a relative one
    "]].assert_eq(&problems(&args(&format!("--data {fits}d"))).replacen("  ", "", 1));
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
    let file = File::new(
        "order",
        r#"
        data = "from-file"
        issuer = "http://localhost:9001"
        listen = "127.0.0.1:9001"
        trusted_proxy = ["10.0.0.1", "10.0.0.2"]
        log_format = "json"
        [lifetimes]
        device_code = 300
        [limits]
        connections = 50
        open_requests_per_client = 7
        requests_per_source = { per_second = 3, burst = 9 }
        guesses_per_approver = 5
        "#,
    );
    let config = Config::load(&file.args("--listen 127.0.0.1:9002 --trusted-proxy 10.9.0.0/16"))
        .ok()
        .unwrap();
    assert_eq!(config.data, PathBuf::from("from-file"));
    assert_eq!(config.issuer.as_str(), "http://localhost:9001");
    assert_eq!(config.listen.port(), 9002);
    assert_eq!(config.trusted_proxies, ["10.9.0.0/16".parse().unwrap()]);
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!(config.lifetimes.device_code, Lifetime::from_seconds(300));
    assert_eq!(config.lifetimes.grant, Lifetime::from_seconds(28_800));
    assert_eq!(config.limits.connections, 50);
    assert_eq!(config.limits.open_requests_per_client, Some(7));
    assert_eq!(
        config.limits.requests_per_source,
        Some(Rate {
            per_second: 3,
            burst: 9
        })
    );
    assert_eq!(config.limits.guesses.approver, 5);
}

#[test]
fn an_empty_flag_or_variable_is_none() {
    let args = ServeArgs {
        database: Some(String::new()),
        trusted_proxy: vec![String::new()],
        ..args("--data d")
    };
    let config = Config::load(&args).ok().unwrap();
    assert!(config.database.is_none() && config.trusted_proxies.is_empty());
}

#[test]
fn limits_on_load_are_off_on_plain_http_and_limits_on_guesses_never() {
    let local = Config::load(&args("--data d")).ok().unwrap().limits;
    let line = "--data d --issuer https://login.example.com --trusted-proxy ::1";
    let public = Config::load(&args(line)).ok().unwrap().limits;
    let file = File::new(
        "off",
        "[limits]\nrequests_per_source = \"off\"\nopen_requests_per_client = \"off\"\nopen_requests_per_source = \"off\"",
    );
    let off = Config::load(&file.args(line)).ok().unwrap().limits;
    assert_eq!(local, off);
    assert_eq!(
        public,
        Limits {
            requests_per_source: Some(Rate {
                per_second: 50,
                burst: 200
            }),
            open_requests_per_client: Some(1_000),
            open_requests_per_source: Some(100),
            ..local
        }
    );
    assert_eq!(
        (
            local.requests_per_source,
            local.open_requests_per_client,
            local.open_requests_per_source
        ),
        (None, None, None)
    );
}

#[test]
fn the_file_is_read_strictly() {
    let cases = [
        ("unknown", "lisen = \"x\"\n[limits]\nguess = 1\n[other]\na = 1\n"),
        (
            "kinds",
            "listen = 8628\nissuer = true\ntrusted_proxy = [1]\nlimits = 3\n",
        ),
        (
            "ranges",
            "[lifetimes]\ndevice_code = 1\naccess_token = 3600\ngrant = 1800\nbrowser_session = \"1h\"\n\
             [limits]\nguesses_per_approver = \"off\"\nguesses_total = 0\nconnections = -1\nopen_requests_per_source = 1.5\n\
             requests_per_source = { per_second = 0, burst = 1 }\n",
        ),
        ("rate", "[limits]\nrequests_per_source = 5\n"),
        (
            "rate-extra",
            "[limits]\nrequests_per_source = { per_second = 1, burst = 1, per_day = 1 }\n",
        ),
        (
            "syntax",
            "listen = \"127.0.0.1:1\"\ndatabase = \"postgres://u:hunter2@h/n\" oops\n",
        ),
    ];
    let table = cases
        .iter()
        .map(|(name, text)| format!("{name}\n{}", File::new(name, text).problems("--data d")));
    expect![[r#"
        unknown
          `limits.guess` in FILE: no such setting
          `lisen` in FILE: no such setting
          `other.a` in FILE: no such setting
        kinds
          `listen` in FILE: must be text in quotes
          `issuer` in FILE: must be text in quotes
          `trusted_proxy` in FILE: must be texts in quotes
          `limits` in FILE: no such setting
        ranges
          `lifetimes.device_code` in FILE: must be a whole number from 15 to 1800
          `lifetimes.browser_session` in FILE: must be a whole number from 300 to 86400
          `lifetimes.grant` in FILE: shorter than access_token, but no token outlives its grant: make it longer
          `limits.guesses_per_approver` in FILE: must be a whole number from 1 to 100
          `limits.guesses_total` in FILE: must be a whole number from 1 to 100000
          `limits.open_requests_per_source` in FILE: must be a whole number from 1 to 1000000
          `limits.requests_per_source.per_second` in FILE: must be a whole number from 1 to 100000
          `limits.connections` in FILE: must be a whole number from 1 to 1000000
        rate
          `limits.requests_per_source` in FILE: must be { per_second = NUMBER, burst = NUMBER } or "off"
        rate-extra
          `limits.requests_per_source` in FILE: must be { per_second = NUMBER, burst = NUMBER } or "off"
        syntax
          FILE line 2: not TOML: unexpected key or value, expected newline, `#`
    "#]]
    .assert_eq(&table.collect::<String>());
}

#[test]
fn listed_and_shared_networks_are_read_and_every_mistake_is_named() {
    let file = File::new(
        "networks",
        r#"
        [network]
        trusted_networks = ["10.1.2.3/16", "2001:db8:1::/48", "192.0.2.7"]
        shared_networks = "198.51.100.0/24"
        operator_database = "asn.mmdb"
        "#,
    );
    let networks = Config::load(&file.args("--data d")).ok().unwrap().networks;
    let listed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
    assert_eq!(
        networks,
        Networks {
            trusted: listed(&["10.1.0.0/16", "2001:db8:1::/48", "192.0.2.7/32"]),
            shared: listed(&["198.51.100.0/24"]),
            operator_database: Some("asn.mmdb".into()),
            country_database: None,
        }
    );
    let wrong = File::new(
        "networks-wrong",
        r#"
        [network]
        trusted_networks = ["0.0.0.0/0", "office", 7, "198.51.100.7"]
        shared_networks = ["::/0", "198.51.100.0/24", "fe80::1%eth0"]
        operator_database = 3
        country_database = ""
        trusted = []
        "#,
    );
    expect![[r#"
        mistakes
          `network.trusted_networks` in FILE: 0.0.0.0/0 is every network: leave the setting out or name some
          `network.trusted_networks` in FILE: "office" is neither an IP address nor a network such as 10.0.0.0/8
          `network.trusted_networks` in FILE: must be texts in quotes
          `network.shared_networks` in FILE: ::/0 is every network: leave the setting out or name some
          `network.shared_networks` in FILE: "fe80::1%eth0" is neither an IP address nor a network such as 10.0.0.0/8
          `network.operator_database` in FILE: must be the path of a file, in quotes
          `network.country_database` in FILE: must be the path of a file, in quotes
          `network.trusted_networks` in FILE: 198.51.100.7/32 cannot be trusted while strangers share 198.51.100.0/24 (shared_networks)
          `network.trusted` in FILE: no such setting
    "#]]
    .assert_eq(&format!("mistakes\n{}", wrong.problems("--data d")));
}

#[test]
fn the_password_of_a_database_is_never_repeated() {
    let line = "--database mysql://u:hunter2@h/n --issuer x --listen y";
    let file = File::new("secret", "database = \"postgres://u:hunter2@h/n\ndata = 3\n");
    for told in [problems(&args(line)), file.problems("")] {
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// A flag that clap knows and `Config` does not read, or the other way round, would be a silent default.
#[test]
fn every_flag_has_a_variable_of_its_name() {
    use clap::Args as _;

    let command = ServeArgs::augment_args(clap::Command::new("serve"));
    for flag in command.get_arguments() {
        let long = flag.get_long().unwrap();
        let variable = format!("WAYPASS_{}", long.replace('-', "_").to_uppercase());
        assert_eq!(flag.get_env().unwrap().to_str(), Some(variable.as_str()));
    }
}

#[test]
fn an_upstream_provider_is_named_exactly_and_its_groups_are_mapped() {
    let text = "[upstream]\nissuer = \"https://login.example.com/t/\"\nclient_id = \"w\"\nclient_secret_file = \"s\"\n\
                [upstream.groups]\n\"Their Ops\" = \"ops\"\n";
    let config = Config::load(&File::new("upstream", text).args("--data d"))
        .ok()
        .unwrap();
    let upstream = config.upstream.unwrap();
    assert_eq!(upstream.issuer, "https://login.example.com/t/");
    assert_eq!(
        (&*upstream.label, &*upstream.groups_claim),
        ("login.example.com", "groups")
    );
    assert_eq!(upstream.groups["Their Ops"], "ops");
    assert_eq!(upstream.groups_lifetime, Lifetime::from_seconds(24 * 3600));
}

#[test]
fn an_upstream_section_says_everything_that_is_wrong_with_it() {
    let told = |text: &str| format!("problems\n{}", File::new("upstream-wrong", text).problems("--data d"));
    let wrong = "[upstream]\nissuer = \"http://login.example.com\"\nlabel = \"\"\nscopes = \"profile\"\n\
                 groups_lifetime = 1\nlink = \"by_claim\"\n[upstream.groups]\na = \"no name\"\n";
    let of_wrong = expect![[r#"
        problems
          `upstream.issuer` in FILE: must be the provider's issuer: https (or http on localhost), without query, fragment or user name
          `upstream.label` in FILE: must have 1 to 40 characters
          `upstream.client_id` in FILE: required in this section
          `upstream.client_secret_file` in FILE: required in this section
          `upstream.scopes` in FILE: must be an array of texts
          `upstream.groups` in FILE: a group's name here is text of 1 to 64 letters, digits or . - _ @ +
          `upstream.groups_lifetime` in FILE: must be a whole number from 60 to 2592000
          `upstream.link` in FILE: no such setting
    "#]];
    of_wrong.assert_eq(&told(wrong));
    let user = "[upstream]\nissuer = \"https://u@login.example.com\"\nclient_id = 7\nclient_secret_file = \"s\"\n";
    let of_user = expect![[r#"
        problems
          `upstream.issuer` in FILE: must be the provider's issuer: https (or http on localhost), without query, fragment or user name
          `upstream.client_id` in FILE: must be text in quotes
    "#]];
    of_user.assert_eq(&told(user));
}

/// Behind a hop that rewrites addresses everybody has the same one; on one machine there is no such hop.
#[test]
fn x01_a_private_address_proves_nothing_to_a_server_that_others_reach() {
    let load = |words: &str| {
        let file = File::new(&format!("private-{}", words.len()), "");
        Config::load(&file.args(words))
            .unwrap_or_else(|problems| panic!("{problems:?}"))
            .shared_networks
    };
    let is_shared = |networks: &[IpNet], address: &str| {
        let address: std::net::IpAddr = address.parse().unwrap();
        networks.iter().any(|network| network.contains(&address))
    };
    assert_eq!(load("--data d"), []);
    let public = load("--data d --issuer https://login.example.com --trusted-proxy 192.0.2.1");
    for (address, shared) in [
        ("172.17.0.1", true),
        ("10.0.0.1", true),
        ("127.0.0.1", true),
        ("fd00::1", true),
        ("203.0.113.7", false),
    ] {
        assert_eq!(is_shared(&public, address), shared, "{address}");
    }
}

#[test]
fn a_mail_section_says_where_and_everything_that_is_wrong_with_it() {
    let load = |text: &str| {
        let file = File::new(&format!("mail-{}", text.len()), text);
        let loaded = Config::load(&file.args("--data d"));
        let mail = loaded.unwrap_or_else(|problems| panic!("{problems:?}")).mail.unwrap();
        (mail.port, mail.encryption)
    };
    let section = "[mail]\nserver = \"mail.example.com\"\nfrom = \"Waypass <waypass@example.com>\"\n";
    assert_eq!(load(section), (587, Encryption::Starttls));
    assert_eq!(
        load(&format!("{section}encryption = \"tls\"\n")),
        (465, Encryption::Tls)
    );
    let local = "[mail]\nserver = \"localhost\"\nfrom = \"waypass@example.com\"\nencryption = \"none\"\nport = 2525\n";
    assert_eq!(load(local), (2525, Encryption::Off));

    let told = |text: &str| format!("problems\n{}", File::new("mail-wrong", text).problems("--data d"));
    let of_wrong = expect![[r#"
        problems
          `mail.server` in FILE: required in this section
          `mail.encryption` in FILE: may be none on loopback only
          `mail.port` in FILE: must be a whole number from 1 to 65535
          `mail.from` in FILE: must be an address, such as `Waypass <waypass@example.com>`
          `mail.username` in FILE: needs mail.password_file beside it, and the other way round
          `mail.to` in FILE: no such setting
    "#]];
    let wrong = "[mail]\nfrom = \"waypass\"\nencryption = \"none\"\nport = 0\nusername = \"u\"\nto = \"x\"\n";
    of_wrong.assert_eq(&told(wrong));
}
