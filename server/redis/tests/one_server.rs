//! Against a real server: what it says when it cannot be reached, and that it is reached again.

use std::{sync::LazyLock, time::Duration};
use tramline_redis::{Call, Command, Redis, RedisError, RedisSettings, Script, Value};
use tramline_testing::{PrivateRedis, RedisOptions};

static ADD: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])"));

fn settings(url: &str) -> RedisSettings {
    RedisSettings::parse(url, "tramline").expect("the address reads")
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new();
    command.arg(words);
    command
}

fn add(key: &str, count: i64) -> Call {
    Call { keys: vec![key.to_owned()], arguments: vec![count.to_string().into_bytes()] }
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_said_so_and_never_shown() {
    for cluster in [false, true] {
        let options = RedisOptions { password: Some("s3cret"), cluster, appendonly: false };
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        Redis::connect(settings(&server.url())).await.expect("it lets us in");
        for url in [server.url().replace("s3cret", "wr0ng"), server.url().replace(":s3cret@", "")] {
            let error = Redis::connect(settings(&url)).await.expect_err("it refuses");
            assert!(matches!(error, RedisError::Denied { .. }), "{error}");
            let text = format!("{error} {error:?}");
            assert!(text.contains(&server.port().to_string()), "it says where: {text}");
            assert!(!text.contains("wr0ng"), "it does not say the password: {text}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_so() {
    for scheme in ["redis", "redis-cluster"] {
        let error = Redis::connect(settings(&format!("{scheme}://127.0.0.1:1"))).await.expect_err("nobody is there");
        assert!(matches!(error, RedisError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    }
}

#[tokio::test]
async fn after_a_restart_it_is_reached_again_and_taught_the_scripts() {
    for cluster in [false, true] {
        let options = RedisOptions { cluster, appendonly: true, password: None };
        let Some(mut server) = PrivateRedis::start_with(options).await else { return };
        let redis = Redis::connect(settings(&server.url())).await.expect("it answers");
        let answers = redis.run_script(&ADD, &[add("a", 1), add("b", 2), add("a", 3)]).await.expect("it answers");
        assert_eq!(answers, [Value::Int(1), Value::Int(2), Value::Int(4)]);
        server.restart().await;
        let again = async {
            loop {
                match redis.run_script(&ADD, &[add("a", 0)]).await {
                    Ok(answers) => return answers,
                    Err(error) => assert!(matches!(error, RedisError::Unreachable { .. }), "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let answers = tokio::time::timeout(Duration::from_secs(20), again).await.expect("it comes back");
        assert_eq!(answers, [Value::Int(4)]);
        assert_eq!(server.ask(&["SCRIPT", "FLUSH"]).await, "OK");
        assert_eq!(redis.run_script(&ADD, &[add("a", 1)]).await.expect("it is taught"), [Value::Int(5)]);
    }
}

#[tokio::test]
async fn a_refusal_is_no_loss_of_the_connection() {
    let Some(server) = PrivateRedis::start().await else { return };
    let redis = Redis::connect(settings(&server.url())).await.expect("it answers");
    let commands = vec![command(&["SET", "a", "x"]), command(&["INCR", "a"]), command(&["SET", "b", "y"])];
    let error = redis.run(commands).await.expect_err("`x` is no number");
    assert!(matches!(error, RedisError::Refused { .. }), "{error}");
    let answers = redis.run(vec![command(&["GET", "b"])]).await.expect("it answers");
    assert_eq!(answers, [Value::BulkString(b"y".to_vec())], "the other commands were carried out");
}

#[tokio::test]
async fn only_a_single_server_has_connections_to_wait_at() {
    let Some(server) = PrivateRedis::start().await else { return };
    let redis = Redis::connect(settings(&server.url())).await.expect("it answers");
    let mut dedicated = redis.dedicated().await.expect("it answers");
    let wait = command(&["BLPOP", "nothing", "1.2"]);
    let answer = dedicated.run(&wait, Duration::from_secs(10)).await.expect("it may take longer than a command may");
    assert_eq!(answer, Value::Nil);
    let error = dedicated.run(&wait, Duration::from_millis(20)).await.expect_err("it takes longer than that");
    assert!(matches!(error, RedisError::Unreachable { .. }), "{error}");

    let options = RedisOptions { cluster: true, ..RedisOptions::default() };
    let Some(server) = PrivateRedis::start_with(options).await else { return };
    let redis = Redis::connect(settings(&server.url())).await.expect("it answers");
    redis.dedicated().await.expect_err("a cluster has none");
    // Keys of two servers in one script would be refused by any cluster.
    let both = Call { keys: vec!["a".to_owned(), "b".to_owned()], arguments: vec![b"1".to_vec()] };
    let error = redis.run_script(&ADD, &[both]).await.expect_err("they have other hash slots");
    assert!(matches!(error, RedisError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_listener_hears_what_fits_its_patterns_until_the_server_ends() {
    let Some(mut server) = PrivateRedis::start().await else { return };
    let redis = Redis::connect(settings(&server.url())).await.expect("it answers");
    let mut listener = redis.listen(&["tramline:a:*".to_owned()]).await.expect("it answers");
    let say = |channel| command(&["PUBLISH", channel, "hello"]);
    redis.run(vec![say("tramline:b:x"), say("tramline:a:x")]).await.expect("it answers");
    let heard = listener.next().await.expect("it hears");
    assert_eq!((heard.channel.as_str(), heard.payload.as_slice()), ("tramline:a:x", &b"hello"[..]));
    server.stop();
    let ended = tokio::time::timeout(Duration::from_secs(20), listener.next()).await.expect("it notices");
    ended.expect_err("the server is gone");
}
