-- Version 1 of the schema. A key's first byte is its space: k for the store's keys, d for what queues
-- remember of deduplication, x for when that may be forgotten.

create table meta (
	id         boolean primary key default true check (id),
	version    integer not null,
	last       bigint not null, -- the last number given to a commit, an append or a message
	forgotten  bigint not null  -- the last number whose change is no longer known
) with (fillfactor = 10);
insert into meta (version, last, forgotten) values (1, 0, 0);

create table kv (
	key   bytea primary key,
	value bytea not null
);
alter table kv alter column value set storage external;

-- Keys too long for an index. They are as unique as those of kv, by the committers' care.
create table kv_long (
	head  bytea not null, -- the first bytes of the key
	key   bytea not null,
	value bytea not null
);
alter table kv_long alter column value set storage external;
create index kv_long_head on kv_long (head);

-- What the latest commits wrote: for nodes to learn of.
create table change (
	last   bigint primary key, -- the last number of the commits
	node   uuid not null,
	made   timestamptz not null default now(),
	writes bytea not null
);
alter table change alter column writes set storage external;
create index change_made on change (made);

-- state: 0 ready, 1 delayed, 2 leased, 3 behind others of its group, or while one of them is leased.
-- Times are nanoseconds since 1970; 0 for never.
create table message (
	seq        bigint primary key,
	queue      bytea not null,
	id         uuid not null,
	grp        bytea not null, -- '' for none
	fair       bytea not null, -- its tenant; '' for none
	body       bytea not null,
	enqueued   bigint not null,
	expiry     bigint not null,
	state      smallint not null,
	at         bigint not null, -- when the delay or the lease ends
	nonce      bigint not null default 0, -- of the last lease
	deliveries integer not null default 0,
	first      bigint not null default 0, -- when it was leased first

	-- The same as seq, where it counts: ordered by seq alone, rows would be looked for in the primary key, past
	-- all those of other queues.
	turn       bigint generated always as (case when state = 0 then seq end) stored,
	place      bigint generated always as (case when grp <> '' then seq end) stored
);
alter table message alter column body set storage external;
create index message_ready on message (queue, turn) where turn is not null;
create index message_due on message (queue, at) where state in (1, 2);
create index message_group on message (queue, grp, place) where grp <> '';
create index message_group_leased on message (queue, grp) where grp <> '' and state = 2;
create index message_fair on message (queue, fair, turn) where fair <> '' and turn is not null;
create index message_returned on message (queue, deliveries) where deliveries > 0 and state in (0, 3);
create index message_expiry on message (queue, expiry) where expiry > 0;

-- settle makes ready the first messages of groups of which none is leased.
create function settle(queues bytea[], groups bytea[]) returns void language sql as $$
	update message m set state = 0
	from (select distinct q, g from unnest(queues, groups) u (q, g)) u,
		lateral (select h.seq from message h where h.queue = u.q and h.grp = u.g and h.grp <> '' order by h.place limit 1) head
	where m.seq = head.seq and m.state = 3
		and not exists (select from message l where l.queue = u.q and l.grp = u.g and l.grp <> '' and l.state = 2)
$$;

-- How many messages are ready or leased, of all in a queue (under the name '') and of each tenant. Only
-- queues that have had tenants are here.
create table tenant (
	queue  bytea not null,
	name   bytea not null,
	ready  bigint not null,
	leased bigint not null,
	primary key (queue, name)
) with (fillfactor = 50);

-- tally keeps table tenant.
create function tally() returns trigger language plpgsql as $$
begin
	if not exists (select from tenant) then
		return null;
	end if;
	declare
		queues bytea[]; fairs bytea[]; readies bigint[]; leaseds bigint[];
	begin
		if tg_op = 'INSERT' then
			select array_agg(queue), array_agg(fair), array_agg(r), array_agg(l) into queues, fairs, readies, leaseds from (
				select queue, fair, count(*) filter (where state in (0, 3)) as r, count(*) filter (where state = 2) as l from added group by 1, 2) d;
		elsif tg_op = 'DELETE' then
			select array_agg(queue), array_agg(fair), array_agg(-r), array_agg(-l) into queues, fairs, readies, leaseds from (
				select queue, fair, count(*) filter (where state in (0, 3)) as r, count(*) filter (where state = 2) as l from removed group by 1, 2) d;
		else
			select array_agg(queue), array_agg(fair), array_agg(r), array_agg(l) into queues, fairs, readies, leaseds from (
				select queue, fair, sum(r) as r, sum(l) as l from (
					select queue, fair, (state in (0, 3))::int as r, (state = 2)::int as l from added
					union all
					select queue, fair, -(state in (0, 3))::int, -(state = 2)::int from removed) both_sides group by 1, 2) d;
		end if;
		insert into tenant as t (queue, name, ready, leased)
			select d.queue, n.name, sum(d.r), sum(d.l)
			from unnest(queues, fairs, readies, leaseds) d (queue, fair, r, l), lateral (select d.fair union select '') n (name)
			where exists (select from tenant of_queue where of_queue.queue = d.queue and of_queue.name = '')
			group by 1, 2 having sum(d.r) <> 0 or sum(d.l) <> 0 order by 1, 2
			on conflict (queue, name) do update set ready = t.ready + excluded.ready, leased = t.leased + excluded.leased;
		delete from tenant t using unnest(queues, fairs) d (queue, fair)
			where t.queue = d.queue and t.name = d.fair and t.name <> '' and t.ready = 0 and t.leased = 0;
	end;
	return null;
end $$;
create trigger tally_insert after insert on message referencing new table as added for each statement execute function tally();
create trigger tally_delete after delete on message referencing old table as removed for each statement execute function tally();
create trigger tally_update after update on message referencing old table as removed new table as added for each statement execute function tally();

-- admit_tenants lets queues have tenants.
create function admit_tenants(queues bytea[]) returns void language sql as $$
	insert into tenant (queue, name, ready, leased)
	select q, '', (select count(*) from message where queue = q and turn is not null) + (select count(*) from message where queue = q and grp <> '' and state = 3),
		(select count(*) from message where queue = q and state in (1, 2) and state = 2)
	from unnest(queues) q where not exists (select from tenant where queue = q and name = '')
$$;

-- promote ends the delays and leases whose time is over, and removes what has expired. Rows that
-- somebody else is busy with are left to him. Of a queue with groups or tenants it takes the lock.
create function promote(q bytea, queue_lock bigint, now_at bigint) returns void language plpgsql as $$
declare
	due     boolean := exists (select from message where queue = q and state in (1, 2) and at <= now_at);
	over    boolean := exists (select from message where queue = q and expiry > 0 and expiry <= now_at);
	touched bytea[];
begin
	if not due and not over then
		return;
	end if;
	if exists (select from message where queue = q and grp <> '') or exists (select from tenant where queue = q) then
		perform pg_advisory_xact_lock(queue_lock);
	end if;
	if due then
		with due as (
			select seq from message where queue = q and state in (1, 2) and at <= now_at for update skip locked
		), promoted as (
			update message m set state = case when m.grp = '' then 0 else 3 end from due where m.seq = due.seq returning m.grp
		)
		select array_agg(distinct grp) into touched from promoted where grp <> '';
		if touched is not null then
			perform settle(array_fill(q, array[cardinality(touched)]), touched);
		end if;
	end if;
	if over then
		with over as (
			select seq from message where queue = q and expiry > 0 and expiry <= now_at and state in (0, 3) for update skip locked
		), gone as (
			delete from message m using over where m.seq = over.seq returning m.grp
		)
		select array_agg(distinct grp) into touched from gone where grp <> '';
		if touched is not null then
			perform settle(array_fill(q, array[cardinality(touched)]), touched);
		end if;
	end if;
end $$;

-- choose_fairly is the next message of a queue that has tenants; see store.NewMessage.
create function choose_fairly(q bytea) returns bigint language plpgsql as $$
declare
	noise  bigint := (select greatest(29, (ready + leased) / 10) from tenant where queue = q and name = '');
	chosen bigint;
begin
	select min(c.seq) into chosen from (
		(select m.seq from message m where m.queue = q and m.turn is not null and m.fair = '' order by m.turn limit 1)
		union all
		select f.seq from tenant t, lateral (select m.seq from message m where m.queue = q and m.fair = t.name and m.fair <> '' and m.turn is not null order by m.turn limit 1) f
		where t.queue = q and t.name <> '' and t.ready > 0 and t.ready + t.leased <= noise
	) c;
	if chosen is null then
		select f.seq into chosen
		from tenant t, lateral (select m.seq from message m where m.queue = q and m.fair = t.name and m.fair <> '' and m.turn is not null order by m.turn limit 1) f
		where t.queue = q and t.name <> '' and t.ready > 0 order by t.leased, f.seq limit 1;
	end if;
	return chosen;
end $$;

-- receive leases messages. Those that were leased max_deliveries times already come as dead, leased
-- until burial_end for the caller to move. Where there are none, one row says when to look again.
create function receive(q bytea, queue_lock bigint, now_at bigint, lease_end bigint, burial_end bigint, most integer, max_deliveries integer, burials integer)
returns table (seq bigint, id uuid, grp bytea, fair bytea, body bytea, enqueued bigint, expiry bigint, nonce bigint, deliveries integer, first bigint, dead boolean, next bigint, tallied boolean)
language plpgsql as $$
#variable_conflict use_column
declare
	fairly  boolean := exists (select from tenant t where t.queue = q);
	grouped boolean := exists (select from message m where m.queue = q and m.grp <> '');
	fairest bigint;
	extra   integer := 0; -- how many may have to be passed over
	taken   bigint[] := '{}';
	buried  bigint[] := '{}';
	some_taken  bigint[];
	some_buried bigint[];
begin
	if grouped or fairly then
		perform pg_advisory_xact_lock(queue_lock);
	end if;
	perform promote(q, queue_lock, now_at);
	if max_deliveries > 0 and exists (select from message m where m.queue = q and m.deliveries >= max_deliveries and m.deliveries > 0 and m.state in (0, 3)) then
		extra := burials;
	end if;
	while exists (select from message m where m.queue = q and m.turn is not null) loop
		if fairly then
			fairest := choose_fairly(q);
			exit when fairest is null;
			with chosen as (
				select m.seq, max_deliveries > 0 and m.deliveries >= max_deliveries as dead
				from message m where m.seq = fairest for update
			), leased as (
				update message m set state = 2, nonce = floor(random() * 9e18)::bigint,
					at = case when c.dead then burial_end else lease_end end,
					deliveries = m.deliveries + case when c.dead then 0 else 1 end,
					first = case when c.dead or m.first > 0 then m.first else now_at end
				from chosen c where m.seq = c.seq returning m.seq, c.dead
			)
			select array_agg(l.seq) filter (where not l.dead), array_agg(l.seq) filter (where l.dead)
			into some_taken, some_buried from leased l;
		elsif grouped then
			with heads as (
				select m.seq, m.grp from message m where m.queue = q and m.turn is not null order by m.turn limit most + extra
			), ordered as (
				select h.seq from heads h where h.grp = ''
				union all
				select f.seq from heads h, lateral (
					select b.seq, bool_or(b.state = 1) over (order by b.seq) as cut
					from (select m.seq, m.state from message m where m.queue = q and m.grp = h.grp and m.grp <> '' and m.place >= h.seq
						order by m.place limit most + extra) b
				) f where h.grp <> '' and not f.cut
			), classed as (
				select o.seq, max_deliveries > 0 and m.deliveries >= max_deliveries as dead
				from ordered o join message m on m.seq = o.seq
			), counted as (
				select c.seq, c.dead,
					count(*) filter (where not c.dead) over before as alive_before,
					count(*) filter (where c.dead) over before as dead_before
				from classed c window before as (order by c.seq rows between unbounded preceding and 1 preceding)
			), chosen as (
				select m.seq, c.dead from message m join counted c on c.seq = m.seq
				where c.alive_before < most and c.dead_before < burials and m.state in (0, 3) for update of m skip locked
			), leased as (
				update message m set state = 2, nonce = floor(random() * 9e18)::bigint,
					at = case when c.dead then burial_end else lease_end end,
					deliveries = m.deliveries + case when c.dead then 0 else 1 end,
					first = case when c.dead or m.first > 0 then m.first else now_at end
				from chosen c where m.seq = c.seq returning m.seq, c.dead
			)
			select array_agg(l.seq) filter (where not l.dead), array_agg(l.seq) filter (where l.dead)
			into some_taken, some_buried from leased l;
		else
			with chosen as (
				select m.seq, max_deliveries > 0 and m.deliveries >= max_deliveries as dead
				from message m where m.queue = q and m.turn is not null and m.grp = '' and m.fair = '' order by m.turn limit most - cardinality(taken) for update skip locked
			), leased as (
				update message m set state = 2, nonce = floor(random() * 9e18)::bigint,
					at = case when c.dead then burial_end else lease_end end,
					deliveries = m.deliveries + case when c.dead then 0 else 1 end,
					first = case when c.dead or m.first > 0 then m.first else now_at end
				from chosen c where m.seq = c.seq returning m.seq, c.dead
			)
			select array_agg(l.seq) filter (where not l.dead), array_agg(l.seq) filter (where l.dead)
			into some_taken, some_buried from leased l;
		end if;
		taken := taken || coalesce(some_taken, '{}');
		buried := buried || coalesce(some_buried, '{}');
		exit when not fairly and (grouped or some_buried is null) or cardinality(taken) >= most or cardinality(buried) >= burials;
	end loop;
	if cardinality(taken) + cardinality(buried) = 0 then
		return query select 0::bigint, null::uuid, null::bytea, null::bytea, null::bytea, 0::bigint, 0::bigint, 0::bigint, 0, 0::bigint, false,
			coalesce((select min(m.at) from message m where m.queue = q and m.state in (1, 2)), 0), false;
		return;
	end if;
	return query select m.seq, m.id, m.grp, m.fair, m.body, m.enqueued, m.expiry, m.nonce, m.deliveries, m.first, m.seq = any (buried), 0::bigint, fairly
		from message m where m.seq = any (taken || buried)
		order by case when fairly then array_position(taken || buried, m.seq) else m.seq end;
end $$;
