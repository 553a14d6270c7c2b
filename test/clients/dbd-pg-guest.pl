# DBD::Pg: libpq; server-side prepared statements by name, closed with DEALLOCATE.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:async);
binmode STDOUT, ':utf8';
$| = 1;

sub connection {
    my %more = @_;
    my ($user, $password) = (delete $more{user} // $ENV{PGUSER}, delete $more{password} // $ENV{PGPASSWORD});
    my $parts = join ';', map { "$_=$more{$_}" } keys %more;
    my $database = $more{dbname} // $ENV{PGDATABASE};
    my $source = "dbi:Pg:dbname=$database;host=$ENV{PGHOST};port=$ENV{PGPORT}" . ($parts ? ";$parts" : ';sslmode=disable');
    return DBI->connect($source, $user, $password, { RaiseError => 1, PrintError => 0, PrintWarn => 0, pg_enable_utf8 => 1 });
}

sub show { print join(', ', map { ref $_ eq 'ARRAY' ? '[' . join(' ', map { $_ // 'NULL' } @$_) . ']' : $_ // 'NULL' } @_), "\n" }
sub rows { my $db = shift; show(@$_) for @{ $db->selectall_arrayref(@_) } }

# The part of a message that PostgreSQL wrote; before it stands where the client was connected.
sub refused {
    my ($what, $work) = @_;
    return print "$what: not refused\n" if eval { $work->(); 1 };
    my $message = $DBI::errstr // $@;
    $message =~ s/.*FATAL/FATAL/s;
    print "$what: ", $DBI::state, " $message\n";
}

my @wrong = (
    'SELEC 1', 'SELECT * FROM no_such_table', 'SELECT no_such_column FROM item', 'SELECT 1/0', "SELECT 'x'::int",
    "INSERT INTO item (id, name) VALUES (1, 'again')", 'INSERT INTO item (id, name) VALUES (-1, NULL)',
    'INSERT INTO note (id, item_id) VALUES (-1, -1)', 'SELECT no_such_function(1)',
    q{DO $$ BEGIN RAISE EXCEPTION 'by hand' USING ERRCODE = 'MA001', DETAIL = 'a detail', HINT = 'a hint'; END $$});

my @scenarios = (
    connect => sub {
        my $db = connection();
        rows($db, 'SELECT current_user, current_database()');
        show($db->{pg_server_version}, $db->ping, $db->{pg_standard_conforming_strings});
        $db->disconnect;
        refused('password', sub { connection(password => 'wrong') });
        refused('user', sub { connection(user => 'nobody') });
        refused('database', sub { connection(dbname => 'nowhere') });
    },
    tls => sub {
        my $db = connection(sslmode => $ENV{CLIENT_SSLMODE});
        rows($db, q{SELECT 'over the wire', current_user});
        $db->disconnect;
    },
    types => sub {
        my $db = connection();
        rows($db, q{SELECT 1::int2, 2, 9007199254740993::int8, 1.5::float8, 12345.6789::numeric, true, 'äö€😀', '2024-02-29'::date,
            '{"a": [1, null]}'::jsonb, '{1,2,NULL}'::int[], '{a,"b c"}'::text[], NULL});
        my $statement = $db->prepare(q{SELECT '\x00ff10'::bytea AS bin, 1 AS one, 'x'::text AS txt});
        $statement->execute;
        show(@{ $statement->{NAME} }, @{ $statement->{pg_type} }, unpack('H*', $statement->fetchrow_arrayref->[0]));
        $statement->finish;
        $db->disconnect;
    },
    parameters => sub {
        my $db = connection();
        rows($db, 'SELECT ?::int, ?::text, ?::text, ?::int[]', {}, 42, "it's", undef, [1, 2]);
        rows($db, 'SELECT id, name FROM item WHERE id = ANY(?) ORDER BY id', {}, [1, 5, 999]);
        $db->disconnect;
    },
    transactions => sub {
        my $db = connection();
        $db->begin_work;
        $db->do(q{INSERT INTO note (id, body) VALUES (1, 'kept')});
        $db->commit;
        $db->begin_work;
        $db->do(q{INSERT INTO note (id, body) VALUES (?, ?)}, {}, 2, 'lost');
        rows($db, 'SELECT id, body FROM note ORDER BY id');
        $db->rollback;
        $db->begin_work;
        rows($db, 'SELECT id, body FROM note ORDER BY id');
        refused('division', sub { $db->do('SELECT 1/0') });
        refused('aborted', sub { $db->do('SELECT 1') });
        $db->rollback;
        show($db->do('DELETE FROM note'), $db->ping);
        $db->disconnect;
    },
    savepoints => sub {
        my $db = connection();
        $db->begin_work;
        $db->do('INSERT INTO note (id) VALUES (1)');
        $db->pg_savepoint('here');
        refused('duplicate', sub { $db->do('INSERT INTO note (id) VALUES (1)') });
        $db->pg_rollback_to('here');
        $db->do('INSERT INTO note (id) VALUES (2)');
        $db->pg_release('here');
        rows($db, 'SELECT id FROM note ORDER BY id');
        $db->rollback;
        $db->disconnect;
    },
    prepared => sub {
        my $db = connection();
        my $statement = $db->prepare('SELECT name FROM item WHERE id = ?', { pg_server_prepare => 1, pg_switch_prepared => 1 });
        for my $id (1 .. 100) { $statement->execute($id); print $statement->fetchrow_array, ' '; }
        print $statement->{pg_prepare_name} ne '' ? "named\n" : "not named\n";
        undef $statement;
        for my $n (0 .. 39) {
            my $other = $db->prepare('SELECT ?::int + ' . $n % 7, { pg_server_prepare => 1, pg_switch_prepared => 1 });
            $other->execute($n);
            print $other->fetchrow_array, ' ';
        }
        print "\n";
        $db->disconnect;
    },
    errors => sub {
        my $db = connection();
        for my $text (@wrong) {
            refused($text, sub { $db->do($text) });
            show(map { $db->pg_error_field($_) } qw(severity state primary detail hint statement_position));
        }
        local $SIG{__WARN__} = sub { print "heard: @_" };
        $db->{PrintWarn} = 1;
        $db->do(q{DO $$ BEGIN RAISE WARNING 'warned'; END $$});
        $db->disconnect;
    },
    large => sub {
        my $db = connection();
        my $big = 'x' x (4 * 1024 * 1024);
        rows($db, 'SELECT length(?::text), md5(?::text)', {}, $big, $big);
        show(length $db->selectrow_array(q{SELECT repeat('y', 8 * 1024 * 1024)}));
        my $sum = 0;
        $sum += $_->[0] for @{ $db->selectall_arrayref('SELECT g FROM generate_series(1, 100000) g') };
        show($sum);
        $db->disconnect;
    },
    copy => sub {
        my $db = connection();
        $db->begin_work;
        $db->do('COPY note (id, body) FROM STDIN');
        $db->pg_putcopydata("$_\tn$_\n") for 0 .. 4999;
        $db->pg_putcopyend;
        rows($db, 'SELECT count(*), sum(id) FROM note');
        $db->do('COPY (SELECT id, body FROM note ORDER BY id LIMIT 3) TO STDOUT');
        my $line;
        print $line while $db->pg_getcopydata($line) >= 0;
        $db->rollback;
        refused('bad row', sub { $db->do('COPY note (id) FROM STDIN'); $db->pg_putcopydata("1\nx\n"); $db->pg_putcopyend; });
        refused('no table', sub { $db->do('COPY no_such_table FROM STDIN') });
        rows($db, q{SELECT 'usable'});
        $db->disconnect;
    },
    listen => sub {
        my ($db, $other) = (connection(), connection());
        $db->do('LISTEN news');
        $other->do(q{NOTIFY news, 'one'});
        $other->do(q{NOTIFY news, 'two'});
        my $until = time + 20;
        my $seen = 0;
        while ($seen < 2 && time < $until) {
            my $heard = $db->pg_notifies or next;
            show($heard->[0], $heard->[2]);
            $seen++;
        }
        $_->disconnect for $db, $other;
    },
    cancel => sub {
        my $db = connection();
        $db->do('SELECT pg_sleep(30)', { pg_async => PG_ASYNC });
        select undef, undef, undef, 0.5;
        refused('cancel', sub { $db->pg_cancel; $db->pg_result; });
        rows($db, q{SELECT 'usable'});
        $db->disconnect;
    },
    cursors => sub {
        my $db = connection();
        $db->begin_work;
        $db->do('DECLARE portions CURSOR FOR SELECT id FROM item ORDER BY id');
        my ($sum, $times) = (0, 0);
        while (my @ids = @{ $db->selectcol_arrayref('FETCH 100 FROM portions') }) { $sum += $_ for @ids; $times++; }
        show($sum, $times);
        $db->commit;
        $db->disconnect;
    });

while (my ($name, $work) = splice @scenarios, 0, 2) {
    print "## $name\n";
    eval { $work->(); 1 } or print "unexpected: $@\n";
}
