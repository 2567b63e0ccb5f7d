//! Private servers for tests: a PostgreSQL cluster and a Redis of their own, on ports of their own, ended with the test.
