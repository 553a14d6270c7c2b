# Ruby's pg: libpq with its whole interface, pipelines among it.
require 'pg'
$stdout.sync = true

def connection(**more)
  PG.connect(host: ENV['PGHOST'], port: ENV['PGPORT'], user: ENV['PGUSER'], password: ENV['PGPASSWORD'],
             dbname: ENV['PGDATABASE'], sslmode: 'disable', **more)
end

# What PostgreSQL wrote of a message; before it stands where the client was connected.
def refused(what)
  yield
  puts "#{what}: not refused"
rescue PG::Error => e
  message = e.message
  state = e.result&.error_field(PG::Result::PG_DIAG_SQLSTATE)
  puts "#{what}: #{e.class} #{state} #{message.sub(/.*FATAL/m, 'FATAL').strip}"
end

WRONG = [
  'SELEC 1', 'SELECT * FROM no_such_table', 'SELECT no_such_column FROM item', 'SELECT 1/0', "SELECT 'x'::int",
  "INSERT INTO item (id, name) VALUES (1, 'again')", 'INSERT INTO item (id, name) VALUES (-1, NULL)',
  'INSERT INTO note (id, item_id) VALUES (-1, -1)', 'SELECT no_such_function(1)',
  "DO $$ BEGIN RAISE EXCEPTION 'by hand' USING ERRCODE = 'MA001', DETAIL = 'a detail', HINT = 'a hint'; END $$"
].freeze

SCENARIOS = {
  'connect' => lambda {
    db = connection
    p db.exec('SELECT current_user, current_database()').values, db.server_version, db.parameter_status('DateStyle')
    p db.transaction_status, db.protocol_version, db.internal_encoding
    db.reset
    p db.exec('SELECT 1').values
    db.close
    refused('password') { connection(password: 'wrong') }
    refused('user') { connection(user: 'nobody') }
    refused('database') { connection(dbname: 'nowhere') }
    p PG::Connection.ping(host: ENV['PGHOST'], port: ENV['PGPORT']) == PG::PQPING_OK
  },
  'tls' => lambda {
    db = connection(sslmode: ENV['CLIENT_SSLMODE'])
    p db.exec("SELECT 'over the wire', current_user").values, db.ssl_in_use? == (ENV['CLIENT_SSLMODE'] == 'require')
    db.close
  },
  'types' => lambda {
    db = connection
    db.type_map_for_results = PG::BasicTypeMapForResults.new(db)
    p db.exec("SELECT 1::int2 AS a, 2 AS b, 9007199254740993::int8 AS c, 1.5::float8 AS d, 12.5::numeric AS e, true AS f, 'äö€😀' AS g,
      '\\x00ff10'::bytea AS h, '2024-02-29'::date AS i, '{\"a\": [1]}'::json AS j, '{1,2}'::int[] AS k, NULL AS l").to_a
    p db.exec_params('SELECT $1::int AS a, $2::float8 AS b', [1, 2.5], 1).to_a
    db.close
  },
  'parameters' => lambda {
    db = connection
    p db.exec_params('SELECT $1::int, $2::text, $3::text', [42, "it's", nil]).values
    p db.exec_params('SELECT id, name FROM item WHERE id = ANY($1) ORDER BY id', ['{1,5,999}']).values
    db.close
  },
  'transactions' => lambda {
    db = connection
    db.transaction { |inside| inside.exec("INSERT INTO note (id, body) VALUES (1, 'kept')") }
    refused('inside') do
      db.transaction do |inside|
        inside.exec("INSERT INTO note (id, body) VALUES (2, 'lost')")
        p inside.exec('SELECT id, body FROM note ORDER BY id').values
        refused('division') { inside.exec('SELECT 1/0') }
        p inside.transaction_status
        inside.exec('SELECT 1')
      end
    end
    db.transaction { |inside| p inside.exec('SELECT id, body FROM note ORDER BY id').values }
    p db.exec('DELETE FROM note').cmd_tuples, db.transaction_status
    db.close
  },
  'savepoints' => lambda {
    db = connection
    db.exec('BEGIN; INSERT INTO note (id) VALUES (1); SAVEPOINT here')
    refused('duplicate') { db.exec('INSERT INTO note (id) VALUES (1)') }
    db.exec('ROLLBACK TO here; INSERT INTO note (id) VALUES (2); RELEASE here')
    p db.exec('SELECT id FROM note ORDER BY id').values
    p db.exec('ROLLBACK').cmd_status
    db.close
  },
  'prepared' => lambda {
    db = connection
    db.prepare('by_id', 'SELECT name FROM item WHERE id = $1')
    p((1..100).map { |id| db.exec_prepared('by_id', [id]).getvalue(0, 0) })
    p db.describe_prepared('by_id').fields
    refused('twice') { db.prepare('by_id', 'SELECT 1') }
    p db.exec('DEALLOCATE by_id').cmd_status
    refused('gone') { db.exec_prepared('by_id', [1]) }
    db.prepare('by_id', 'SELECT $1::int + 1')
    p db.exec_prepared('by_id', [1]).values
    p db.exec('DISCARD ALL').cmd_status
    refused('discarded') { db.exec_prepared('by_id', [1]) }
    db.close
  },
  'errors' => lambda {
    db = connection
    WRONG.each { |text| refused(text) { db.exec(text) } }
    WRONG.each { |text| refused(text) { db.exec_params(text, []) } }
    db.set_error_verbosity(PG::PQERRORS_SQLSTATE)
    refused('verbosity') { db.exec('SELECT 1/0') }
    heard = []
    db.set_notice_processor { |text| heard << text }
    db.exec("DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'warned'; END $$")
    p heard
    db.close
  },
  'large' => lambda {
    db = connection
    big = 'x' * (4 * 1024 * 1024)
    p db.exec_params('SELECT length($1::text), md5($1::text)', [big]).values
    p db.exec("SELECT repeat('y', 8 * 1024 * 1024)").getvalue(0, 0).length
    sum = 0
    db.send_query('SELECT g FROM generate_series(1, 100000) g')
    db.set_single_row_mode
    db.get_result.stream_each_row { |row| sum += row[0].to_i }
    p sum
    db.close
  },
  'copy' => lambda {
    db = connection
    db.exec('BEGIN')
    p db.copy_data('COPY note (id, body) FROM STDIN') { 5000.times { |n| db.put_copy_data("#{n}\tn#{n}\n") } }.cmd_status
    p db.exec('SELECT count(*), sum(id) FROM note').values
    db.copy_data('COPY (SELECT id, body FROM note ORDER BY id LIMIT 3) TO STDOUT') do
      while (row = db.get_copy_data)
        p row
      end
    end
    db.exec('ROLLBACK')
    refused('bad row') { db.copy_data('COPY note (id) FROM STDIN') { db.put_copy_data("1\nx\n") } }
    refused('no table') { db.copy_data('COPY no_such_table FROM STDIN') { db.put_copy_data("1\n") } }
    begin
      db.copy_data('COPY note (id) FROM STDIN') { raise 'given up' }
    rescue RuntimeError => e
      p e.message
    end
    p db.exec("SELECT 'usable'").values
    db.close
  },
  'listen' => lambda {
    db = connection
    other = connection
    db.exec('LISTEN news')
    other.exec("NOTIFY news, 'one'")
    other.exec("NOTIFY news, 'two'")
    2.times { db.wait_for_notify(20) { |channel, _pid, payload| p [channel, payload] } }
    db.exec('UNLISTEN *')
    [db, other].each(&:close)
  },
  'cancel' => lambda {
    db = connection
    db.send_query('SELECT pg_sleep(30)')
    sleep 0.5
    p db.cancel
    refused('cancelled') { db.get_last_result }
    p db.exec("SELECT 'usable'").values
    db.close
  },
  'cursors' => lambda {
    db = connection
    db.transaction do |inside|
      inside.exec('DECLARE portions SCROLL CURSOR FOR SELECT id FROM item ORDER BY id')
      p inside.exec('FETCH 3 FROM portions').values, inside.exec('MOVE 500 FROM portions').cmd_status
      p inside.exec('FETCH BACKWARD 2 FROM portions').values
    end
    db.exec("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT id FROM item ORDER BY id; COMMIT")
    p db.exec('FETCH 2 FROM held').values, db.exec('FETCH 2 FROM held').values, db.exec('CLOSE held').cmd_status
    db.close
  },
  'pipeline' => lambda {
    db = connection
    db.enter_pipeline_mode
    100.times { |n| db.send_query_params('SELECT $1::int', [n]) }
    db.pipeline_sync
    p((0...100).map { value = db.get_result.values; db.get_result; value })
    p db.get_result.result_status == PG::PGRES_PIPELINE_SYNC
    db.send_query_params('SELECT 1', [])
    db.send_query_params('SELECT 1/$1::int', [0])
    db.send_query_params('SELECT 2', [])
    db.pipeline_sync
    db.send_query_params("SELECT 'after'", [])
    db.pipeline_sync
    6.times do
      result = db.get_result
      puts result.res_status(result.result_status), result.error_field(PG::Result::PG_DIAG_SQLSTATE).inspect
      # Every statement's results end with nil; a Sync is alone.
      db.get_result unless result.result_status == PG::PGRES_PIPELINE_SYNC
    end
    p db.exit_pipeline_mode
    db.close
  }
}.freeze

SCENARIOS.each do |name, work|
  puts "## #{name}"
  begin
    work.call
  rescue StandardError => e
    puts "unexpected: #{e.class} #{e.message}"
  end
end
