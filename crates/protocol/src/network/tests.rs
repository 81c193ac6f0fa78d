use expect_test::expect;
use proptest::prelude::*;

use super::*;

/// `198.51.100.7 64496 DE`: an address, an operator's number, a country; `-` is not known.
fn place(text: &str) -> Place {
    let mut parts = text.split(' ').map(|part| Some(part).filter(|part| *part != "-"));
    let mut next = || parts.next().flatten();
    Place {
        address: next().map(|address| address.parse().unwrap()),
        operator: next().map(|number| Operator {
            number: number.parse().unwrap(),
            name: "Example Network".to_owned(),
        }),
        country: next().map(str::to_owned),
    }
}

fn shared() -> [IpNet; 2] {
    ["203.0.113.0/25".parse().unwrap(), "2001:db8:ff::/48".parse().unwrap()]
}

/// What it is, one end, the other end.
const PAIRS: &str = "\
the same                         | 198.51.100.7          | 198.51.100.7
the same, written as IPv6        | 198.51.100.7          | ::ffff:198.51.100.7
a neighbour                      | 198.51.100.7          | 198.51.100.8
another prefix                   | 198.51.100.7          | 198.51.101.7
one IPv6 site                    | 2001:db8:1:2::7       | 2001:db8:1:2:ffff::1
a neighbouring site              | 2001:db8:1:2::7       | 2001:db8:1:3::7
another IPv6 prefix              | 2001:db8:1:2::7       | 2001:db8:2:2::7
one not known                    | 198.51.100.7          | -
none known                       | - 64496 DE            | - 64496 DE
nobody's address                 | 0.0.0.0               | 0.0.0.0
far, one operator                | 198.51.100.7 64496 DE | 192.0.2.7 64496 DE
far, one operator, two countries | 198.51.100.7 64496 DE | 192.0.2.7 64496 FR
far, one country                 | 198.51.100.7 64496 DE | 192.0.2.7 64497 DE
far, another country             | 198.51.100.7 64496 DE | 192.0.2.7 64497 FR
far, one side looked up          | 198.51.100.7 64496 DE | 192.0.2.7
near, another country            | 198.51.100.7 64496 DE | 198.51.100.8 64497 FR
two families                     | 198.51.100.7          | 2001:db8::7
two families, one operator       | 198.51.100.7 64496 DE | 2001:db8::7 64496 DE
two families, one country        | 198.51.100.7 64496 DE | 2001:db8::7 64497 DE
two families, two operators      | 198.51.100.7 64496 -  | 2001:db8::7 64497 -
two families, two countries      | 198.51.100.7 - DE     | 2001:db8::7 - FR
shared, the same                 | 203.0.113.7           | 203.0.113.7
shared, a neighbour outside      | 203.0.113.7           | 203.0.113.200
beside the shared half           | 203.0.113.200         | 203.0.113.200
shared IPv6, one site            | 2001:db8:ff::1        | 2001:db8:ff::1
shared, one operator             | 203.0.113.7 64496 DE  | 203.0.113.7 64496 DE
carrier NAT, the same            | 100.64.1.1            | 100.64.1.1
carrier NAT, the same operator   | 100.64.1.1 64496 -    | 100.64.1.1 64496 -
private, the same                | 192.168.1.7           | 192.168.1.7
private, a neighbour             | 192.168.1.7           | 192.168.1.8
private and public               | 192.168.1.7           | 198.51.100.7
loopback, the same               | 127.0.0.1             | 127.0.0.1
loopback of each family          | 127.0.0.1             | ::1
link-local, one link             | fe80::7               | fe80::8
unique local, one site           | fd00::7               | fd00::8
Teredo, one server               | 2001:0:c000:201::1    | 2001:0:c000:201::2
NAT64, two hosts                 | 64:ff9b::c633:6407    | 64:ff9b::c000:207
NAT64, the same                  | 64:ff9b::c633:6407    | 64:ff9b::c633:6407
";

#[test]
fn the_ladder_is_printed() {
    let table = PAIRS.lines().map(|line| {
        let [what, one, other] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let found = compare(&place(one), &place(other), &shared());
        format!("{what:<33} {}\n", found.as_str())
    });
    expect![[r"
        the same                          same_address
        the same, written as IPv6         same_address
        a neighbour                       same_prefix
        another prefix                    different
        one IPv6 site                     same_address
        a neighbouring site               same_prefix
        another IPv6 prefix               different
        one not known                     unknown
        none known                        unknown
        nobody's address                  unknown
        far, one operator                 same_operator
        far, one operator, two countries  same_operator
        far, one country                  same_country
        far, another country              different
        far, one side looked up           different
        near, another country             same_prefix
        two families                      unknown
        two families, one operator        same_operator
        two families, one country         same_country
        two families, two operators       different
        two families, two countries       different
        shared, the same                  unknown
        shared, a neighbour outside       unknown
        beside the shared half            same_address
        shared IPv6, one site             unknown
        shared, one operator              same_operator
        carrier NAT, the same             unknown
        carrier NAT, the same operator    same_operator
        private, the same                 same_address
        private, a neighbour              different
        private and public                different
        loopback, the same                same_address
        loopback of each family           unknown
        link-local, one link              different
        unique local, one site            different
        Teredo, one server                different
        NAT64, two hosts                  different
        NAT64, the same                   same_address
    "]]
    .assert_eq(&table.collect::<String>());
}

#[test]
fn the_names_of_the_rungs_are_read_back_and_climb() {
    for rung in NetworkMatch::ALL {
        assert_eq!(NetworkMatch::named(rung.as_str()), Some(rung));
        assert_eq!(serde_json::to_value(rung).unwrap(), rung.as_str());
    }
    assert!(NetworkMatch::ALL.is_sorted());
    assert_eq!(NetworkMatch::named("same_asn"), None);
}

#[test]
fn both_ends_must_be_in_a_listed_network_and_need_not_be_in_one() {
    let listed = ["198.51.100.0/24".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
    let cases = [
        ("198.51.100.7", "2001:db8:1::9", true),
        ("198.51.100.7", "::ffff:198.51.100.9", true),
        ("198.51.100.7", "192.0.2.1", false),
        ("198.51.100.7", "-", false),
        ("-", "-", false),
    ];
    for (one, other, expected) in cases {
        assert_eq!(
            both_are_listed(&place(one), &place(other), &listed),
            expected,
            "{one} {other}"
        );
        assert_eq!(
            both_are_listed(&place(other), &place(one), &listed),
            expected,
            "{other} {one}"
        );
    }
    assert!(!both_are_listed(
        &place("0.0.0.0"),
        &place("0.0.0.0"),
        &["0.0.0.0/8".parse().unwrap()]
    ));
}

/// Addresses that are near each other often enough to climb the ladder.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let near_v4 = (0u8..2, 0u8..3).prop_map(|(third, fourth)| IpAddr::from([198, 51, third, fourth]));
    let near_v6 = (0u16..2, 0u16..2, 0u16..3)
        .prop_map(|(site, subnet, host)| IpAddr::from([0x2001, 0xdb8, site, subnet, 0, 0, 0, host]));
    let special = proptest::sample::select(vec![
        "100.64.0.1",
        "127.0.0.1",
        "::1",
        "fe80::1",
        "0.0.0.0",
        "64:ff9b::1",
    ]);
    prop_oneof![
        near_v4,
        near_v6,
        special.prop_map(|text| text.parse().unwrap()),
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

fn places() -> impl Strategy<Value = Place> {
    let operator = proptest::option::of((64_496u32..64_499).prop_map(|number| Operator {
        number,
        name: String::new(),
    }));
    let country = proptest::option::of(proptest::sample::select(vec!["DE".to_owned(), "FR".to_owned()]));
    (proptest::option::of(addresses()), operator, country).prop_map(|(address, operator, country)| Place {
        address,
        operator,
        country,
    })
}

fn networks() -> impl Strategy<Value = Vec<IpNet>> {
    let network = (addresses(), 1u8..=32).prop_map(|(address, length)| IpNet::new_assert(address, length).trunc());
    proptest::collection::vec(network, 0..3)
}

fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

proptest! {
    #[test]
    fn a_comparison_is_the_same_from_both_sides(one in places(), other in places(), shared in networks()) {
        prop_assert_eq!(compare(&one, &other, &shared), compare(&other, &one, &shared));
        prop_assert_eq!(both_are_listed(&one, &other, &shared), both_are_listed(&other, &one, &shared));
    }

    #[test]
    fn what_is_not_known_matches_nothing(one in places(), other in places(), shared in networks()) {
        let unknown = Place { address: None, ..one };
        prop_assert_eq!(compare(&unknown, &other, &shared), NetworkMatch::Unknown);
        prop_assert_eq!(compare(&unknown, &unknown, &shared), NetworkMatch::Unknown);
        prop_assert!(!both_are_listed(&unknown, &other, &shared));
    }

    #[test]
    fn only_one_address_or_one_site_is_the_same_address(one in places(), other in places(), shared in networks()) {
        if compare(&one, &other, &shared) == NetworkMatch::SameAddress {
            prop_assert_eq!(site(one.address.unwrap()), site(other.address.unwrap()));
        }
    }

    #[test]
    fn nothing_in_a_shared_network_is_near_by_its_address(one in places(), other in places(), shared in networks()) {
        let is_shared = |place: &Place| place.address.is_some_and(|address| is_within(address, &shared));
        if is_shared(&one) || is_shared(&other) {
            prop_assert!(compare(&one, &other, &shared) <= NetworkMatch::SameOperator);
        }
    }

    #[test]
    fn two_families_are_never_different_by_address_alone(v4 in any::<u32>(), v6 in any::<u128>(), shared in networks()) {
        let v6 = Ipv6Addr::from_bits(v6);
        prop_assume!(v6.to_ipv4_mapped().is_none());
        let at = |address: IpAddr| Place { address: Some(address), ..Place::default() };
        let found = compare(&at(Ipv4Addr::from_bits(v4).into()), &at(v6.into()), &shared);
        prop_assert_eq!(found, NetworkMatch::Unknown);
    }

    #[test]
    fn what_is_looked_up_changes_nothing_that_addresses_show(one in places(), other in places(), shared in networks()) {
        let bare = Place { operator: None, country: None, ..one.clone() };
        match compare(&bare, &other, &shared) {
            near if near >= NetworkMatch::SamePrefix => prop_assert_eq!(near, compare(&one, &other, &shared)),
            far => prop_assert!(far <= NetworkMatch::Different, "{:?} without a look-up", far),
        }
    }
}
