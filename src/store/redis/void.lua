-- Makes every reply void that the fleet keeps. Answers the number of this change.
return call('INCR', P .. ':changes')
