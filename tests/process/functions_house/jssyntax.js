exports.broken = (;
