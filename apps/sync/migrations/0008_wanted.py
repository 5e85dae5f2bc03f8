from django.db import migrations, models


def fill(apps, _editor):
    Link, Intent = (apps.get_model("sync", name) for name in ("TicketLink", "Intent"))
    Ticket = apps.get_model("tickets", "Ticket")
    ends = Ticket.objects.filter(pk=models.OuterRef("ticket")).values("last_seq")
    Link.objects.exclude(ticket=None).update(heard_seq=models.Subquery(ends))
    Link.objects.filter(swept_at=None).update(swept_at=models.F("created_at"))
    open_intents = Intent.objects.filter(link=models.OuterRef("pk"), state="open")
    Link.objects.filter(models.Exists(open_intents)).update(is_unsettled=True)


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0007_renewing'),
        ('tickets', '0002_marks'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='ticketlink',
            name='sync_ticket_connect_d13be6_idx',
        ),
        migrations.AddField(
            model_name='ticketlink',
            name='heard_seq',
            field=models.PositiveIntegerField(default=0, help_text="The journal's end when the lane last heard of it."),
        ),
        migrations.AddField(
            model_name='ticketlink',
            name='is_unsettled',
            field=models.BooleanField(default=False, help_text='What became of a write is to be found out.'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AddField(
            model_name='ticketlink',
            name='wanted_at',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(models.Q(('intake_hold__isnull', True), ('look_wanted__gt', models.F('look_done')), models.Q(('external_id', ''), _negated=True)), models.Q(('delivery_hold__isnull', True), ('state__in', ['creating', 'linked']), models.Q(('heard_seq__gt', models.F('applied_seq')), models.Q(('repair', []), _negated=True), _connector='OR'), models.Q(('is_behind', False), ('external_id', ''), _connector='OR')), models.Q(models.Q(('is_unsettled', True), models.Q(('claimed_by', ''), _negated=True), _connector='OR'), models.Q(('state', 'detached'), _negated=True)), _connector='OR'), then=models.F('due_at'))), help_text='When a worker may take it, if there is something to read, to write or to find out.', output_field=models.DateTimeField(null=True)),
        ),
        migrations.AddIndex(
            model_name='ticketlink',
            index=models.Index(fields=['connection', 'wanted_at'], name='sync_ticket_connect_6e9c51_idx'),
        ),
        migrations.AddIndex(
            model_name='ticketlink',
            index=models.Index(fields=['connection', 'external_id'], name='sync_ticket_connect_88c1ce_idx'),
        ),
        migrations.AddIndex(
            model_name='ticketlink',
            index=models.Index(condition=models.Q(('claimed_until__isnull', False)), fields=['claimed_by'], name='claimed_links'),
        ),
        migrations.AlterField(
            model_name='ticketlink',
            name='swept_at',
            field=models.DateTimeField(help_text='When it was last compared as a whole, or made.', null=True),
        ),
        migrations.AddIndex(
            model_name='ticketlink',
            index=models.Index(fields=['connection', 'swept_at'], name='sync_ticket_connect_df2ee0_idx'),
        ),
    ]
