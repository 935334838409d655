'use strict';
/* actor: as actor.py. */
const fs = require('fs');
const poold = require('poold');

const times = (n, work) => Array.from({ length: n }, (_, i) => work(i));

const deeds = {
    put(name, who, n) {
        const queue = new poold.Queue(name);
        times(n, (i) => queue.put([who, i]));
        return n;
    },
    get(name) {
        const queue = new poold.Queue(name), got = [];
        for (let value; (value = queue.get()) !== null;) got.push(value);
        return got;
    },
    count(name, who, n) {
        const lock = new poold.Lock(name), counter = poold.Manager().dict(name);
        return times(n, () => lock.with(() => {
            const value = counter.get('n');
            counter.set('n', value + 1);
            return [lock.token, value];
        }));
    },
    add(name, who, n) {
        const counter = poold.Manager().dict(name);
        return times(n, () => counter.add('n'));
    },
    shift(name, who, n) {
        const line = poold.Manager().list(name);
        return times(n, (i) => (line.append([who, i]), line.pop(0)));
    },
    sum(name, who, n) {
        const value = new poold.Value('q', name);
        return times(n, (i) => {
            if (i % 2) return Number(value.add());
            for (;;) {
                const now = BigInt(value.value);
                if (value.compareSet(now, now + 1n)) return Number(now) + 1;
            }
        });
    },
    send(name, who, n) {
        const [end] = poold.Pipe(name);
        times(n, (i) => end.send([who, i]));
        return n;
    },
    recv(name) {
        const [, end] = poold.Pipe(name), got = [];
        try {
            for (;;) got.push(end.recv());
        } catch (error) {
            if (error.type !== 'closed') throw error;
            return got;
        }
    },
    permits(name, who, n) {
        const room = new poold.BoundedSemaphore(name, 3), inside = poold.Manager().dict(name);
        return times(n, () => room.with(() => {
            const seen = inside.add('n');
            inside.add('n', -1);
            return seen;
        }));
    },
    hold(name, who) { // objects_kill_test.py
        new poold.Lock(name).acquire();
        const path = `${process.env.DEEDS_NOTES}/${who}`;
        fs.writeFileSync(`${path}.new`, `${process.pid} ${process.ppid}`);
        fs.renameSync(`${path}.new`, path);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600e3);
    },
};

exports.act = (item) => deeds[item.do](item.name, item.who, item.n);
