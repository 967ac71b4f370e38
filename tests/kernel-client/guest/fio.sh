# shellcheck shell=bash
# fio_verify SIZE OPTIONS...: four processes, each with a file of SIZE.
fio_verify() {
    local size=$1
    shift
    fio --name=job --numjobs=4 --size="$size" --rw=randwrite --bsrange=1k-64k \
        --verify=crc32c --verify_fatal=1 --do_verify=1 --group_reporting \
        --invalidate=1 --fallocate=none "$@"
}
