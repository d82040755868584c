/** ActiveMQ as the tests run it: loopback only, every persistent message synced to disk before its RECEIPT. */

/** `tls`: a second connector, for clients with a certificate alone. */
export function activemqXml(tls: boolean): string {
  return `<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <bean class="org.springframework.beans.factory.config.PropertyPlaceholderConfigurer"/>
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="headgear-test" useJmx="false" persistent="true"
          dataDirectory="\${activemq.base}/data" schedulerSupport="false" advisorySupport="false">
    <destinationPolicy><policyMap><policyEntries>
      <policyEntry queue="&gt;" producerFlowControl="false" useCache="false">
        <deadLetterStrategy><individualDeadLetterStrategy queuePrefix="DLQ." processNonPersistent="true"/></deadLetterStrategy>
      </policyEntry>
    </policyEntries></policyMap></destinationPolicy>
    <persistenceAdapter>
      <kahaDB directory="\${activemq.base}/data/kahadb" enableJournalDiskSyncs="true" journalDiskSyncStrategy="always"
              checksumJournalFiles="true" checkForCorruptJournalFiles="true"/>
    </persistenceAdapter>
    ${tls ? SSL_CONTEXT : ''}
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage limit="64 mb"/></memoryUsage>
      <storeUsage><storeUsage limit="1 gb"/></storeUsage>
      <tempUsage><tempUsage limit="256 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:\${stomp.port}?transport.hbGracePeriodMultiplier=1.5&amp;wireFormat.maxDataLength=104857600"/>
      ${tls ? TLS_CONNECTOR : ''}
    </transportConnectors>
  </broker>
</beans>
`;
}

const SSL_CONTEXT = `<sslContext><sslContext keyStore="file:\${activemq.base}/conf/broker.p12" keyStorePassword="changeit"
      trustStore="file:\${activemq.base}/conf/trust.p12" trustStorePassword="changeit"/></sslContext>`;

const TLS_CONNECTOR = `<transportConnector name="stomp+ssl" uri="stomp+ssl://127.0.0.1:\${stomp.tls.port}?needClientAuth=true&amp;transport.hbGracePeriodMultiplier=1.5"/>`;

export const LOG4J_PROPERTIES = `log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %-5p %m%n
`;
