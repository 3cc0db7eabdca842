# SPDX-License-Identifier: MIT
# debian_servers.pl ADDRESS FILE: what a Debian of the smallest kind can serve with its perl. A name, web.cerne.test, at ADDRESS by DNS
# (RFC 1035), and FILE by HTTP, whatever is asked for.
use strict;
use warnings;
use IO::Socket::INET;

my ($address, $file) = @ARGV;
$| = 1;
$SIG{CHLD} = 'IGNORE';

sub serve_names {
	my $dns = shift;
	while (defined $dns->recv(my $query, 512)) {
		my ($id, $flags, $questions) = unpack('n3', $query);
		my ($name, $at) = ('', 12);
		while (my $length = unpack("x$at C", $query)) {
			$name .= lc(substr($query, $at + 1, $length)) . '.';
			$at += 1 + $length;
		}
		my $question = substr($query, 12, $at + 5 - 12);
		my ($type) = unpack('n', substr($question, -4));
		my $known = $name eq 'web.cerne.test.';
		# Authoritative, recursion as wanted and available; 3: there is no such name. The answer names the question's name.
		my $answer = $known && $type == 1 ? pack('n3 N n a4', 0xc00c, 1, 1, 60, 4, inet_aton($address)) : '';
		$dns->send(pack('n6', $id, 0x8480 | $flags & 0x0100 | ($known ? 0 : 3), 1, $answer ? 1 : 0, 0, 0) . $question . $answer);
	}
}

sub serve_file {
	my $client = shift;
	while (my $line = <$client>) {
		last if $line =~ /^\r?\n$/;
	}
	open(my $in, '<:raw', $file) or die "$file: $!";
	print $client "HTTP/1.0 200 OK\r\nContent-Length: " . (-s $in) . "\r\n\r\n";
	while (read($in, my $data, 65536)) {
		print $client $data;
	}
}

my $dns = IO::Socket::INET->new(Proto => 'udp', LocalPort => 53) or die "port 53: $@";
my $web = IO::Socket::INET->new(Proto => 'tcp', LocalPort => 80, Listen => 16, ReuseAddr => 1) or die "port 80: $@";
print "ready\n";
if (!fork) {
	serve_names($dns);
	exit;
}
while (my $client = $web->accept) {
	if (!fork) {
		serve_file($client);
		exit;
	}
}
