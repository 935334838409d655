'use strict';
/* feed: a producer for anybody's consumer. */
const poold = require('poold');

/* Puts 1, 2 … count into the queue, then null: the end. With `maxsize` it waits whenever that many are in it. */
function feed({ queue, count, maxsize = null }) {
    const numbers = new poold.Queue(queue, maxsize);
    for (let number = 1; number <= count; number++) numbers.put(number);
    numbers.put(null);
    return count;
}

feed.summary = 'Puts 1, 2 … count into a queue, and null at the end';
feed.example = { queue: 'numbers', count: 10 };
module.exports = feed;
