/*
 * Business rule "SIAM: tell the portal about changes".
 *
 * Table: the table of the connection (for example incident)     When: after (not async: the list of changed columns is
 * Insert, Update, Delete: yes                                         known only there; the call itself does not wait)
 * Order: 10000
 *
 * System properties to create first (type password2 for the secret, with read access for admin only):
 *   siam.notice.url      address of the connection's notices, as the portal shows it
 *   siam.notice.secret   base64 of the connection's secret, as the portal shows it
 *   siam.notice.user     user name of the portal's account; its own writes send nothing
 *
 * The notice is only a signal: the portal reads the record itself. A notice that is lost is made good by polling, so
 * nothing is repeated here.
 */
(function tellPortal(current, previous) {
    var url = gs.getProperty('siam.notice.url', '');
    var key = gs.getProperty('siam.notice.secret', '');
    if (!url || !key || gs.getUserName() === gs.getProperty('siam.notice.user', '')) {
        return;
    }
    try {
        var table = current.getTableName();
        var operation = String(current.operation());
        var changed = [];
        if (operation === 'update') {
            var names = GlideScriptRecordUtil.get(current).getChangedFieldNames();
            for (var i = 0; i < names.size(); i++) {
                changed.push(String(names.get(i)));
            }
        }
        var body = JSON.stringify({
            event: table + '.' + operation,
            instance: gs.getProperty('instance_name', ''),
            table: table,
            sys_id: current.getUniqueValue(),
            number: current.isValidField('number') ? current.getValue('number') : '',
            sys_mod_count: parseInt(current.getValue('sys_mod_count') || '0', 10),
            sys_updated_on: current.getValue('sys_updated_on'),
            sys_updated_by: current.getValue('sys_updated_by'),
            changed: changed,
            operation: operation
        }).replace(/[\u007f-\uffff]/g, function (letter) {
            /* ASCII only, so that no charset between signing and sending can change a byte. */
            return '\\u' + ('0000' + letter.charCodeAt(0).toString(16)).slice(-4);
        });
        var timestamp = String(Math.floor(new GlideDateTime().getNumericValue() / 1000));
        var signature = new CertificateEncryption().generateMac(key, 'HmacSHA256', timestamp + '.' + body);

        var message = new sn_ws.RESTMessageV2();
        message.setEndpoint(url);
        message.setHttpMethod('POST');
        message.setHttpTimeout(10000);
        message.setRequestHeader('Content-Type', 'application/json');
        message.setRequestHeader('X-Siam-Event-Id', String(gs.generateGUID()));
        message.setRequestHeader('X-Siam-Timestamp', timestamp);
        message.setRequestHeader('X-Siam-Signature', String(signature));
        message.setRequestBody(body);
        message.executeAsync();
    } catch (problem) {
        gs.error('SIAM notice was not sent: ' + problem);
    }
})(current, previous);
