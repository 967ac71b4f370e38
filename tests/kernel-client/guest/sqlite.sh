# shellcheck shell=bash
# Two processes that write to one SQLite database.

# writer NAME ROWS PATH: one transaction for each row.
writer() {
    local row
    {
        echo ".bail on"
        echo ".timeout 60000"
        for row in $(seq "$2"); do
            echo "BEGIN IMMEDIATE;"
            echo "INSERT INTO rows VALUES ('$1', $row, hex(randomblob(200)));"
            echo "UPDATE total SET n = n + 1;"
            echo "COMMIT;"
        done
    } | sqlite3 "$3"
}

# two_writers ROWS PATH PATH: the paths name the same file.
two_writers() {
    sqlite3 "$2" "CREATE TABLE rows (writer, n, text); CREATE INDEX by_text ON rows (text);
        CREATE TABLE total (n); INSERT INTO total VALUES (0);"
    local first second
    writer first "$1" "$2" &
    first=$!
    writer second "$1" "$3" &
    second=$!
    wait $first
    wait $second
    drop_caches
    equal "$(sqlite3 "$2" "PRAGMA integrity_check")" ok "integrity"
    equal "$(sqlite3 "$2" "SELECT n FROM total")" $((2 * $1)) "transactions"
    equal "$(sqlite3 "$3" "SELECT count(DISTINCT writer || n) FROM rows")" $((2 * $1)) "rows"
}
