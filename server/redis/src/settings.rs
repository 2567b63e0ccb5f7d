//! Where Redis is, and under which prefix a desk keeps its keys there.

use crate::RedisError;
use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion, io::tcp::TcpSettings};
use std::fmt;

/// Characters of a prefix; long enough to be telling, short enough to be repeated in every key.
const PREFIX_MAX: usize = 64;

/// An address and a prefix that have been looked over. Shows no password.
#[derive(Clone)]
pub struct RedisSettings {
    pub(crate) nodes: Vec<ConnectionInfo>,
    is_cluster: bool,
    prefix: String,
    /// Host, port and database, for messages to people.
    pub(crate) shown: String,
}

impl RedisSettings {
    /// Reads an address: `redis://[user]:password@host:port/database`, `rediss://…` for TLS, and for a cluster
    /// `redis-cluster://[user]:password@host1:port,host2:port` or `rediss-cluster://…`, of which one host must answer.
    ///
    /// Desks that share one Redis each have a prefix of their own: letters, digits, `_`, `-` and `.`.
    ///
    /// # Errors
    /// [`RedisError::Settings`] says what is wrong.
    pub fn parse(address: &str, prefix: &str) -> Result<Self, RedisError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if prefix.is_empty() || prefix.len() > PREFIX_MAX || !prefix.chars().all(fits) {
            let rule = format!("the prefix needs 1 to {PREFIX_MAX} letters, digits, `_`, `-` or `.`");
            return Err(RedisError::Settings(rule));
        }
        let (addresses, is_cluster) = split(address);
        let nodes = addresses.iter().map(|one| node(one)).collect::<Result<Vec<_>, _>>()?;
        if is_cluster && nodes.iter().any(|node| node.redis_settings().db() != 0) {
            return Err(RedisError::Settings("a cluster has no other database than 0".to_owned()));
        }
        let hosts: Vec<String> = nodes.iter().map(|node| node.addr().to_string()).collect();
        let database = nodes.first().map_or(0, |node| node.redis_settings().db());
        let shown = format!("{}/{database}", hosts.join(","));
        Ok(Self { nodes, is_cluster, prefix: prefix.to_owned(), shown })
    }

    /// Whether keys are spread over several servers by their hash tags.
    #[must_use]
    pub const fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// The beginning of every key, without a separator.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes: _, is_cluster, prefix, shown } = self;
        f.debug_struct("RedisSettings")
            .field("address", shown)
            .field("is_cluster", is_cluster)
            .field("prefix", prefix)
            .finish()
    }
}

/// One address per host, and whether together they are a cluster.
fn split(address: &str) -> (Vec<String>, bool) {
    let Some((scheme, rest)) = address.split_once("-cluster://") else { return (vec![address.to_owned()], false) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = authority.rsplit_once('@').map_or((String::new(), authority), |(u, h)| (format!("{u}@"), h));
    (hosts.split(',').map(|host| format!("{scheme}://{user}{host}{path}")).collect(), true)
}

fn node(address: &str) -> Result<ConnectionInfo, RedisError> {
    if address.starts_with("rediss://") && !cfg!(feature = "tls") {
        return Err(RedisError::Settings("this program was built without TLS".to_owned()));
    }
    let info = address.into_connection_info().map_err(|error| RedisError::Settings(error.to_string()))?;
    // Small requests wait for nobody: each is a round trip that somebody waits for.
    let tcp = TcpSettings::default().set_nodelay(true);
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    Ok(info.set_tcp_settings(tcp).set_redis_settings(redis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_password_never_shown() {
        let settings = RedisSettings::parse("redis://desk:s3cret@localhost:7000/2", "tramline").unwrap();
        assert!(!settings.is_cluster());
        assert_eq!(settings.shown, "localhost:7000/2");
        assert_eq!(settings.nodes[0].redis_settings().password(), Some("s3cret"));
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn a_cluster_is_a_list_of_hosts_with_one_user() {
        let settings = RedisSettings::parse("redis-cluster://:pw@a:1,b:2", "tramline").unwrap();
        assert!(settings.is_cluster());
        assert_eq!(settings.shown, "a:1,b:2/0");
        assert!(settings.nodes.iter().all(|node| node.redis_settings().password() == Some("pw")));
        assert!(RedisSettings::parse("redis-cluster://a:1/3", "tramline").is_err());
    }

    #[test]
    fn what_cannot_be_used_is_said_so() {
        for (address, prefix) in [("http://a", "p"), ("redis://a", ""), ("redis://a", "a{b}"), ("redis://a", "a*")] {
            let error = RedisSettings::parse(address, prefix).unwrap_err();
            assert!(matches!(error, RedisError::Settings(_)), "{address} {prefix}: {error}");
        }
    }
}
