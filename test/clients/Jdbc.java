// JDBC: the extended protocol with statements that become named after five runs, batches, portals with a fetch size.
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.util.PSQLException;

public class Jdbc {
    interface Scenario {
        void play() throws Exception;
    }

    static final String[] WRONG = {
        "SELEC 1", "SELECT * FROM no_such_table", "SELECT no_such_column FROM item", "SELECT 1/0", "SELECT 'x'::int",
        "INSERT INTO item (id, name) VALUES (1, 'again')", "INSERT INTO item (id, name) VALUES (-1, NULL)",
        "INSERT INTO note (id, item_id) VALUES (-1, -1)", "SELECT no_such_function(1)",
        "DO $$ BEGIN RAISE EXCEPTION 'by hand' USING ERRCODE = 'MA001', DETAIL = 'a detail', HINT = 'a hint'; END $$"};

    static Connection open(String... more) throws SQLException {
        Properties given = new Properties();
        given.put("user", System.getenv("PGUSER"));
        given.put("password", System.getenv("PGPASSWORD"));
        given.put("sslmode", "disable");
        String database = System.getenv("PGDATABASE");
        for (int at = 0; at < more.length; at += 2) {
            if (more[at].equals("database")) database = more[at + 1];
            else given.put(more[at], more[at + 1]);
        }
        return DriverManager.getConnection(
            "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + database, given);
    }

    static void show(ResultSet rows) throws SQLException {
        int columns = rows.getMetaData().getColumnCount();
        StringBuilder text = new StringBuilder();
        for (int n = 1; n <= columns; n++)
            text.append(rows.getMetaData().getColumnLabel(n)).append(':').append(rows.getMetaData().getColumnTypeName(n)).append(' ');
        while (rows.next()) {
            text.append('(');
            for (int n = 1; n <= columns; n++) text.append(n == 1 ? "" : ", ").append(rows.getString(n));
            text.append(')');
        }
        System.out.println(text);
    }

    static void ask(Connection conn, String sql) throws SQLException {
        try (Statement statement = conn.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            show(rows);
        }
    }

    static int run(Connection conn, String sql) throws SQLException {
        try (Statement statement = conn.createStatement()) {
            return statement.executeUpdate(sql);
        }
    }

    static void refused(String label, Scenario scenario) throws Exception {
        try {
            scenario.play();
            System.out.println(label + ": not refused");
        } catch (SQLException cause) {
            System.out.println(label + ": " + cause.getSQLState() + " "
                + (cause instanceof PSQLException psql && psql.getServerErrorMessage() != null ? psql.getServerErrorMessage() : ""));
        }
    }

    static void connect() throws Exception {
        try (Connection conn = open()) {
            ask(conn, "SELECT current_user, current_database()");
            System.out.println(conn.getMetaData().getDatabaseProductVersion() + " " + conn.isValid(5));
            System.out.println(conn.unwrap(PGConnection.class).getParameterStatuses().get("client_encoding"));
        }
        refused("password", () -> open("password", "wrong").close());
        refused("user", () -> open("user", "nobody").close());
        refused("database", () -> open("database", "nowhere").close());
        try (Connection conn = open("options", "-c work_mem=5MB", "ApplicationName", "guest", "currentSchema", "public")) {
            ask(conn, "SHOW work_mem");
            ask(conn, "SHOW application_name");
            ask(conn, "SHOW search_path");
        }
    }

    static void tls() throws Exception {
        try (Connection conn = open("sslmode", System.getenv("CLIENT_SSLMODE"))) {
            ask(conn, "SELECT 'over the wire', current_user");
        }
    }

    static void types() throws Exception {
        try (Connection conn = open()) {
            for (int time = 0; time < 8; time++) {
                try (PreparedStatement statement = conn.prepareStatement(
                        "SELECT 1::int2, 2, 3::int8, 1.5::float8, 2.50::numeric, true, 'äö€😀', '\\x00ff'::bytea, '2024-02-29'::date, "
                            + "'2024-02-29 12:34:56.789'::timestamp, '{\"a\":1}'::jsonb, '{1,2}'::int[], NULL::text");
                        ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    System.out.println(Arrays.toString(rows.getBytes(8)) + rows.getDate(9) + rows.getTimestamp(10)
                        + Arrays.toString((Object[]) rows.getArray(12).getArray()) + rows.getBigDecimal(5) + rows.getDouble(4));
                }
            }
            ask(conn, "SELECT 1::int2, 2, 3::int8, 1.5::float8, 2.50::numeric, true, 'äö€😀', '{\"a\":1}'::jsonb, NULL::text");
            ResultSet tables = conn.getMetaData().getColumns(null, "public", "item", null);
            while (tables.next()) System.out.println(tables.getString("COLUMN_NAME") + " " + tables.getString("TYPE_NAME"));
        }
    }

    static void parameters() throws Exception {
        try (Connection conn = open();
                PreparedStatement statement = conn.prepareStatement("SELECT ?::int AS a, ?::text AS b, ?::text AS c, ?::int[] AS d")) {
            statement.setInt(1, 42);
            statement.setString(2, "it's");
            statement.setNull(3, java.sql.Types.VARCHAR);
            statement.setArray(4, conn.createArrayOf("int4", new Object[] {1, 2, 3}));
            show(statement.executeQuery());
        }
    }

    static void transactions() throws Exception {
        try (Connection conn = open()) {
            conn.setAutoCommit(false);
            run(conn, "INSERT INTO note (id, body) VALUES (1, 'kept')");
            conn.commit();
            run(conn, "INSERT INTO note (id, body) VALUES (2, 'lost')");
            ask(conn, "SELECT id, body FROM note ORDER BY id");
            conn.rollback();
            ask(conn, "SELECT id, body FROM note ORDER BY id FOR UPDATE");
            refused("division", () -> ask(conn, "SELECT 1/0"));
            refused("aborted", () -> ask(conn, "SELECT 1"));
            conn.rollback();
            System.out.println(run(conn, "DELETE FROM note"));
            conn.commit();
            conn.setReadOnly(true);
            ask(conn, "SELECT count(*) FROM item");
            refused("read only", () -> run(conn, "DELETE FROM note"));
            conn.rollback();
            conn.setReadOnly(false);
            conn.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            ask(conn, "SHOW transaction_isolation");
            conn.rollback();
        }
    }

    static void savepoints() throws Exception {
        try (Connection conn = open("autosave", "always")) {
            conn.setAutoCommit(false);
            run(conn, "INSERT INTO note (id) VALUES (1)");
            Savepoint here = conn.setSavepoint("here");
            run(conn, "INSERT INTO note (id) VALUES (2)");
            refused("duplicate", () -> run(conn, "INSERT INTO note (id) VALUES (1)"));
            conn.rollback(here);
            run(conn, "INSERT INTO note (id) VALUES (3)");
            conn.releaseSavepoint(here);
            ask(conn, "SELECT id FROM note ORDER BY id");
            conn.rollback();
        }
    }

    static void prepared() throws Exception {
        try (Connection conn = open("preparedStatementCacheQueries", "4")) {
            try (PreparedStatement statement = conn.prepareStatement("SELECT name FROM item WHERE id = ?")) {
                for (int id = 1; id <= 100; id++) {
                    statement.setInt(1, id);
                    ResultSet rows = statement.executeQuery();
                    rows.next();
                    System.out.print(rows.getString(1) + " ");
                }
                System.out.println(statement.getMetaData().getColumnTypeName(1));
            }
            for (int n = 0; n < 60; n++) {
                try (PreparedStatement statement = conn.prepareStatement("SELECT ?::int + " + n % 7)) {
                    statement.setInt(1, n);
                    ResultSet rows = statement.executeQuery();
                    rows.next();
                    System.out.print(rows.getInt(1) + " ");
                }
            }
            System.out.println();
        }
        columnsChange();
    }

    static void insertAll(Connection conn) throws Exception {
        try (PreparedStatement all = conn.prepareStatement("INSERT INTO jdbc_shape VALUES (2) RETURNING *")) {
            System.out.print(all.executeQuery().getMetaData().getColumnCount() + " ");
        }
    }

    /** Another client adds a column: the driver prepares anew, by the routine that the refusal names. */
    static void columnsChange() throws Exception {
        try (Connection conn = open("prepareThreshold", "1"); Connection other = open("prepareThreshold", "1")) {
            try (Statement ddl = other.createStatement()) {
                ddl.execute("DROP TABLE IF EXISTS jdbc_shape");
                ddl.execute("CREATE TABLE jdbc_shape AS SELECT 1 AS a");
                for (int n = 0; n < 3; n++) {
                    for (int run = 0; run < 3; run++) insertAll(conn);
                    ddl.execute("ALTER TABLE jdbc_shape ADD COLUMN b" + n + " int");
                    // Keeps the server connection that has the statement.
                    other.setAutoCommit(false);
                    ddl.execute("SELECT txid_current()");
                    insertAll(conn);
                    other.setAutoCommit(true);
                }
                ddl.execute("DROP TABLE jdbc_shape");
            }
            System.out.println();
        }
    }

    static void errors() throws Exception {
        try (Connection conn = open()) {
            for (String wrong : WRONG) refused(wrong, () -> run(conn, wrong));
            try (Statement statement = conn.createStatement()) {
                statement.execute("DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'warned'; END $$");
                for (SQLWarning each = statement.getWarnings(); each != null; each = each.getNextWarning())
                    System.out.println(each.getSQLState() + " " + each.getMessage());
            }
        }
    }

    static void large() throws Exception {
        try (Connection conn = open(); PreparedStatement statement = conn.prepareStatement("SELECT length(?::text), md5(?::text)")) {
            String big = "x".repeat(4 * 1024 * 1024);
            statement.setString(1, big);
            statement.setString(2, big);
            show(statement.executeQuery());
            try (Statement plain = conn.createStatement()) {
                ResultSet rows = plain.executeQuery("SELECT repeat('y', 8 * 1024 * 1024)");
                rows.next();
                System.out.println(rows.getString(1).length());
                rows = plain.executeQuery("SELECT g FROM generate_series(1, 100000) g");
                long sum = 0;
                while (rows.next()) sum += rows.getInt(1);
                System.out.println(sum);
            }
        }
    }

    static void copy() throws Exception {
        try (Connection conn = open()) {
            var copies = conn.unwrap(PGConnection.class).getCopyAPI();
            conn.setAutoCommit(false);
            StringBuilder data = new StringBuilder();
            for (int n = 0; n < 5000; n++) data.append(n).append("\tn").append(n).append('\n');
            System.out.println(copies.copyIn("COPY note (id, body) FROM STDIN", new StringReader(data.toString())));
            ask(conn, "SELECT count(*), sum(id) FROM note");
            StringWriter out = new StringWriter();
            System.out.println(copies.copyOut("COPY (SELECT id, body FROM note ORDER BY id LIMIT 3) TO STDOUT", out) + " " + out);
            conn.rollback();
            refused("bad row", () -> copies.copyIn("COPY note (id) FROM STDIN", new StringReader("1\nx\n")));
            conn.rollback();
            refused("no table", () -> copies.copyIn("COPY no_such_table FROM STDIN", new StringReader("1\n")));
            conn.rollback();
            ask(conn, "SELECT 'usable'");
        }
    }

    static void listen() throws Exception {
        try (Connection conn = open(); Connection other = open()) {
            run(conn, "LISTEN news");
            run(other, "NOTIFY news, 'one'");
            run(other, "NOTIFY news, 'two'");
            int seen = 0;
            for (int tries = 0; seen < 2 && tries < 100; tries++) {
                PGNotification[] heard = conn.unwrap(PGConnection.class).getNotifications(200);
                for (PGNotification each : heard == null ? new PGNotification[0] : heard) {
                    System.out.println(each.getName() + " " + each.getParameter());
                    seen++;
                }
            }
        }
    }

    static void cancel() throws Exception {
        try (Connection conn = open(); Statement statement = conn.createStatement()) {
            statement.setQueryTimeout(1);
            refused("timeout", () -> statement.executeQuery("SELECT pg_sleep(30)"));
            ask(conn, "SELECT 'usable'");
        }
    }

    static void cursors() throws Exception {
        try (Connection conn = open()) {
            conn.setAutoCommit(false);
            try (Statement statement = conn.createStatement()) {
                statement.setFetchSize(37);
                ResultSet rows = statement.executeQuery("SELECT id FROM item ORDER BY id");
                long sum = 0;
                while (rows.next()) sum += rows.getInt(1);
                System.out.println(sum);
            }
            conn.commit();
        }
    }

    static void pipeline() throws Exception {
        try (Connection conn = open()) {
            conn.setAutoCommit(false);
            try (PreparedStatement statement = conn.prepareStatement("INSERT INTO note (id, body) VALUES (?, ?)")) {
                for (int n = 0; n < 1000; n++) {
                    statement.setInt(1, n);
                    statement.setString(2, "n" + n);
                    statement.addBatch();
                }
                System.out.println(Arrays.stream(statement.executeBatch()).sum());
                ask(conn, "SELECT count(*), sum(id) FROM note");
                for (int id : new int[] {5000, 5, 5001}) {
                    statement.setInt(1, id);
                    statement.setString(2, "again");
                    statement.addBatch();
                }
                refused("batch", statement::executeBatch);
            }
            conn.rollback();
            ask(conn, "SELECT 'usable'");
        }
    }

    static void section(String name, Scenario scenario) {
        System.out.println("## " + name);
        try {
            scenario.play();
        } catch (Exception cause) {
            System.out.println("unexpected: " + cause);
        }
    }

    public static void main(String[] none) {
        section("connect", Jdbc::connect);
        section("tls", Jdbc::tls);
        section("types", Jdbc::types);
        section("parameters", Jdbc::parameters);
        section("transactions", Jdbc::transactions);
        section("savepoints", Jdbc::savepoints);
        section("prepared", Jdbc::prepared);
        section("errors", Jdbc::errors);
        section("large", Jdbc::large);
        section("copy", Jdbc::copy);
        section("listen", Jdbc::listen);
        section("cancel", Jdbc::cancel);
        section("cursors", Jdbc::cursors);
        section("pipeline", Jdbc::pipeline);
    }
}
